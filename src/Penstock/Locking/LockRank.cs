namespace Penstock.Locking;

/// <summary>
/// The one table of locks. An operation takes them from the top down; of one rank it holds several only where the comment names the order.
/// The lock recorder checks every acquisition against it in every test.
/// </summary>
/// <remarks>
/// Latches (the short, unfair monitors inside one object) are not in the table: nothing is awaited, called back or locked under a latch,
/// except latches of objects further down.
/// </remarks>
internal enum LockRank : byte
{
    /// <summary>One for each volume: a rename that moves a directory. Nothing else is held.</summary>
    Rename = 10,

    /// <summary>The inode lock of a directory. Several: by inode number, which no damaged tree can turn into a circle.</summary>
    Directory = 20,

    /// <summary>The inode lock of anything else. Several: by inode number.</summary>
    Inode = 30,

    /// <summary>The direct-I/O gate (the founding patch's allocation lock): shared by direct I/O in flight, exclusive for removal.</summary>
    DirectIoGate = 40,

    /// <summary>The invalidation lock: shared by fills of the page cache, exclusive for removal of blocks (Rule 2.9).</summary>
    Invalidation = 50,

    /// <summary>
    /// An open metadata handle. Above the page: beginning one may wait for room in the log, and the commit that makes room may wait for pages
    /// under writeback, so nobody begins a handle while he holds a page.
    /// </summary>
    Handle = 60,

    /// <summary>A page being filled or written back. Several: by index. (Taken under a handle by writeback, under none by fills.)</summary>
    Page = 70,

    /// <summary>A volume's list of orphans: taken under a handle.</summary>
    Orphans = 75,

    /// <summary>The mapping of one inode: its extent tree or indirect blocks.</summary>
    Mapping = 80,

    /// <summary>The allocator's state of one block group. Several: by group number.</summary>
    Group = 90,

    /// <summary>The queue of a device that must serialise (read-modify-write of small blocks).</summary>
    DeviceQueue = 100,
}

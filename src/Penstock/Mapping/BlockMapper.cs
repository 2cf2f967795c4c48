using Penstock.Journal;

namespace Penstock.Mapping;

/// <summary>
/// Where the blocks of one file are: the founding patch's <c>get_blocks</c>, as a contract that direct I/O, page fills and writeback share. Each
/// file system brings its own. Blocks are volume blocks.
/// </summary>
/// <remarks>
/// Looking up needs no lock of the caller: the mapper serialises itself (rank Mapping). That the answer stays true until the I/O on it is
/// done is the caller's to ensure: by the direct-I/O gate or the invalidation lock, which every removal holds exclusively (Rules 2.8, 2.9).
/// Faults are thrown as <see cref="FileSystemException"/>: mapping is not the hot part once it is cached.
/// </remarks>
internal abstract class BlockMapper
{
    /// <summary>The size of a block in bytes, a power of two.</summary>
    public abstract int BlockSize { get; }

    /// <summary>
    /// Whether <see cref="AllocateAsync"/> can make unwritten blocks (extents). A block-mapped file cannot: direct writes inside its size are
    /// overwrites only (Rule 1.11).
    /// </summary>
    public abstract bool CanBeUnwritten { get; }

    /// <summary>The number of blocks a file may have: the first block that cannot exist.</summary>
    public abstract ulong MaxBlocks { get; }

    /// <summary>
    /// Looks up the run that starts at <paramref name="first"/>, at most <paramref name="maxCount"/> blocks of it, without waiting.
    /// False where the answer needs I/O or a lock that is taken: then await <see cref="MapAsync"/>. Allocates nothing.
    /// </summary>
    public abstract bool TryMap(FileBlock first, ulong maxCount, out BlockRun run);

    /// <summary>Looks up the run that starts at <paramref name="first"/>, at most <paramref name="maxCount"/> blocks of it.</summary>
    /// <exception cref="CorruptVolumeException">The mapping contradicts the format.</exception>
    /// <exception cref="DeviceException">The mapping could not be read.</exception>
    public abstract ValueTask<BlockRun> MapAsync(FileBlock first, ulong maxCount);

    /// <summary>How many credits a handle needs for one <see cref="AllocateAsync"/> of <paramref name="count"/> blocks.</summary>
    public abstract int CreditsToAllocate(ulong count);

    /// <summary>
    /// Makes blocks for the hole that starts at <paramref name="first"/>: at least one, at most <paramref name="count"/>, contiguous on the
    /// volume; where there are blocks already, returns them as they are. <paramref name="state"/> is Mapped or, if the mapper can, Unwritten.
    /// With <paramref name="fromReservation"/>, what was reserved with <see cref="TryReserve"/> is used up, block by block.
    /// </summary>
    /// <exception cref="FileSystemException">No space, quota exceeded, or beyond <see cref="MaxBlocks"/>.</exception>
    public abstract ValueTask<BlockRun> AllocateAsync(Handle handle, FileBlock first, ulong count, MapState state, bool fromReservation);

    /// <summary>How many credits a handle needs for one <see cref="ConvertAsync"/>.</summary>
    public abstract int CreditsToConvert(ulong count);

    /// <summary>
    /// Turns the unwritten blocks of the range into written ones; written ones and holes in it stay as they are. Called when their data
    /// is on the device, by completions: waits for no inode lock and for no room in the log (Rule 2.18).
    /// </summary>
    public abstract ValueTask ConvertAsync(Handle handle, FileBlock first, ulong count);

    /// <summary>
    /// Reserves room (data blocks, the metadata to map them, quota) for <paramref name="count"/> blocks that are to be allocated at
    /// writeback. NoSpace or QuotaExceeded where there is none. Cheap and without waiting.
    /// </summary>
    public abstract IoFault TryReserve(ulong count);

    /// <summary>Gives back the reservation of blocks that will not be allocated after all.</summary>
    public abstract void CancelReservation(ulong count);
}

using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Locking;
using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>
/// What a format does for the layer above it. That layer (Namespace, OpenFile and their paths) takes the locks and judges arguments and
/// permissions of flags; the format changes the volume. The documentation of each member says which locks its caller holds.
/// </summary>
internal abstract class FileSystem : IAsyncDisposable
{
    private ulong _lastIncarnation;

    protected FileSystem(BlockDevice device, PageCache pageCache)
    {
        Device = device;
        PageCache = pageCache;
        Scheduler = device.Scheduler;
        RenameLock = new SharedLock(Scheduler, LockRank.Rename);
        Inodes = new InodeTable(this);
    }

    public BlockDevice Device { get; }

    public Scheduler Scheduler { get; }

    public PageCache PageCache { get; }

    public InodeTable Inodes { get; }

    /// <summary>The files out of which blocks are being taken.</summary>
    public RemovalList Removals { get; } = new();

    /// <summary>Names that were looked up lately. The format asks it, fills it and keeps it true.</summary>
    public NameCache NameCache { get; } = new();

    /// <summary>Held exclusively by a rename that moves a directory to another parent.</summary>
    public SharedLock RenameLock { get; }

    public abstract MetadataJournal Journal { get; }

    /// <summary>The format, in the user's word: "ext4".</summary>
    public abstract string FormatName { get; }

    /// <summary>The size of a block in bytes.</summary>
    public abstract int BlockSize { get; }

    /// <summary>Why nothing may be written, or null: asked for, a feature, the device, a failure.</summary>
    public abstract string? ReadOnlyReason { get; }

    public bool IsReadOnly => ReadOnlyReason is not null;

    /// <summary>Whether a sync of one file takes along what was written to all others before it, as a journal that holds their data would.</summary>
    public virtual bool SyncsAllData => false;

    /// <summary>What was found waiting in the journal on opening, in a few words; null if nothing was.</summary>
    public virtual string? RecoveryDescription => null;

    /// <summary>Whether changes that were made already can still be stored; new ones may be refused all the same.</summary>
    public virtual bool CanStore => !IsReadOnly;

    public abstract InodeNumber RootNumber { get; }

    /// <summary>The largest size of a file in bytes.</summary>
    public abstract long MaxFileSize { get; }

    /// <summary>Whether times have nanoseconds; else seconds.</summary>
    public abstract bool HasNanoseconds { get; }

    /// <summary>The current time as this format can store it.</summary>
    public Timestamp Now
    {
        get
        {
            long ns = Scheduler.UnixNanoseconds;
            return new Timestamp(ns / 1_000_000_000, HasNanoseconds ? (int)(ns % 1_000_000_000) : 0);
        }
    }

    /// <summary>The nearest time that the format can store, as Linux chooses it.</summary>
    public virtual Timestamp Clamp(Timestamp time) => time;

    /// <summary>
    /// The file that a number leads to, with a reference for the caller, or null: for handles that were made long ago, and may be of anything by now.
    /// </summary>
    public virtual ValueTask<Inode?> FindByNumberAsync(InodeNumber number) => new((Inode?)null);

    /// <summary>The volume's label; null where the format has none.</summary>
    public virtual byte[]? Label => null;

    public abstract VolumeStatistics Statistics { get; }

    /// <summary>Reads an inode; called by the <see cref="InodeTable"/> only, once for each object.</summary>
    /// <exception cref="FileSystemException">Stale: the inode is free, or the number is none.</exception>
    public abstract ValueTask<Inode> LoadInodeAsync(InodeNumber number);

    /// <summary>Finds a name. The directory's lock is held, shared at least. "." and ".." are found too.</summary>
    /// <returns>The inode's number, or none.</returns>
    public abstract ValueTask<InodeNumber> LookupAsync(Inode directory, FileName name);

    /// <summary>As <see cref="LookupAsync"/>, if that is known without waiting; "." and ".." are not. The directory's lock is held, shared at least.</summary>
    public virtual bool TryLookup(Inode directory, ReadOnlySpan<byte> name, out InodeNumber number)
    {
        number = default;
        return false;
    }

    /// <summary>Makes an inode and its name; the name does not exist. The directory's lock is held exclusively.</summary>
    /// <returns>The new inode, with a reference for the caller.</returns>
    public abstract ValueTask<Inode> CreateAsync(Inode directory, FileName name, NewInode what);

    /// <summary>Makes an inode without a name (O_TMPFILE), on the orphan list until it is linked or released.</summary>
    public abstract ValueTask<Inode> CreateUnnamedAsync(Inode directory, NewInode what);

    /// <summary>Adds a name for an inode; the name does not exist. The directory's lock and then the target's are held exclusively.</summary>
    public abstract ValueTask LinkAsync(Inode directory, FileName name, Inode target);

    /// <summary>
    /// Removes a name that leads to <paramref name="target"/>, a directory only if it is empty (else NotEmpty). Directory's and target's locks are held
    /// exclusively. An inode without a name left goes on the orphan list until its last reference is released.
    /// </summary>
    public abstract ValueTask UnlinkAsync(Inode directory, FileName name, Inode target);

    /// <summary>Renames. All directories and inodes named in the request are locked exclusively, and the rename lock where it says so.</summary>
    public abstract ValueTask RenameAsync(RenameRequest request);

    /// <summary>
    /// Tells <paramref name="sink"/> of the entries after <paramref name="position"/> (0: from the start), "." and ".." included, in an
    /// order that stays the same while other entries come and go. The directory's lock is held shared.
    /// </summary>
    public abstract ValueTask ReadDirectoryAsync(Inode directory, ulong position, IDirectorySink sink);

    /// <summary>Frees an inode without names whose last reference is gone. Nothing is locked; nobody else can find it.</summary>
    public abstract ValueTask DeleteInodeAsync(Inode inode);

    /// <summary>
    /// An idle inode leaves the memory: what waits to be written and stored is. Nothing is locked; nobody else can find it.
    /// </summary>
    public virtual async ValueTask EvictInodeAsync(Inode inode)
    {
        if (inode.PagesInUse is { } pages)
        {
            IoFault fault = !CanStore ? IoFault.None : await pages.WriteBackAsync(0, long.MaxValue).ConfigureAwait(false);
            if (fault != IoFault.None)
            {
                throw new FileSystemException(fault, $"{inode}: {fault.Describe()}");
            }

            await DropPagesAsync(inode).ConfigureAwait(false);
        }

        if (!inode.IsAttributesDirty || !CanStore)
        {
            return;
        }

        Handle handle = await Journal.BeginAsync(1).ConfigureAwait(false);
        try
        {
            await inode.StoreAsync(handle).ConfigureAwait(false);
        }
        finally
        {
            handle.Stop();
        }
    }

    /// <summary>Drops every cached page of an inode that nobody can find any more, dirty ones too.</summary>
    protected static async ValueTask DropPagesAsync(Inode inode)
    {
        if (inode.PagesInUse is { IsEmpty: false } pages)
        {
            await inode.Invalidation.AcquireExclusiveAsync().ConfigureAwait(false);
            await pages.RemoveAsync(0, long.MaxValue).ConfigureAwait(false);
            inode.Invalidation.ReleaseExclusive();
        }
    }

    /// <summary>The generation-aware part of an ioctl: the format's own flags word (FS_IOC_GETFLAGS).</summary>
    public abstract uint GetFormatFlags(Inode inode);

    /// <summary>Sets the flags word as far as users may (FS_IOC_SETFLAGS). The inode lock is held exclusively.</summary>
    /// <exception cref="FileSystemException">NotSupported for flags that cannot be changed here.</exception>
    public abstract ValueTask SetFormatFlagsAsync(Inode inode, uint flags);

    /// <summary>Gives an inode to a project (FS_IOC_FSSETXATTR). The inode lock is held exclusively.</summary>
    /// <exception cref="FileSystemException">NotSupported: the volume or the inode has no room for a project.</exception>
    public virtual ValueTask SetProjectAsync(Inode inode, uint project) => throw new FileSystemException(IoFault.NotSupported);

    /// <summary>Discards free space (FITRIM): the bytes discarded.</summary>
    public abstract ValueTask<long> TrimAsync(long offset, long length, long minimumLength);

    public abstract ValueTask DisposeAsync();

    /// <summary>A number that no inode object of this volume has had.</summary>
    internal ulong NextIncarnation() => Interlocked.Increment(ref _lastIncarnation);
}

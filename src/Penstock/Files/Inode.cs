using System.Runtime.CompilerServices;
using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Locking;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>
/// One inode in memory: its locks, its attributes, its cached pages, and what its format can do with it. There is at most one object for each
/// inode of a volume (see <see cref="InodeTable"/>), so its locks are the inode's locks.
/// </summary>
/// <remarks>
/// <para>Who guards what:</para>
/// <list type="bullet">
/// <item><see cref="Lock"/> (the founding patch's i_sem): the attributes, and with it the right to extend, truncate, allocate.</item>
/// <item><see cref="Gate"/> (its i_alloc_sem): shared by every direct I/O in flight until it has completed; exclusive for removal of blocks.</item>
/// <item><see cref="Invalidation"/>: shared by fills of the page cache; exclusive for removal of blocks.</item>
/// <item><see cref="Size"/>: read by anyone; changed under the lock held exclusively.</item>
/// <item><see cref="StoredSize"/>: the size that the format has stored, at most <see cref="Size"/>; moved forward when data has landed.</item>
/// </list>
/// </remarks>
internal abstract class Inode : IPagedFile
{
    private InodeAttributes _attributes;
    private long _size;
    private long _endPageReadAbove = -1;
    private int _writers;

    /// <summary>Whether the file was empty when the first of those who write opened it. A hint: nothing orders it.</summary>
    private bool _beganEmpty;
    private int _isAttributesDirty;
    private FilePages? _pages;
    private bool _isRetired;

    protected Inode(FileSystem fileSystem, InodeNumber number, in InodeAttributes attributes, long size)
    {
        FileSystem = fileSystem;
        Number = number;
        Incarnation = fileSystem.NextIncarnation();
        _attributes = attributes;
        _size = size;
        StoredSize = size;
        Kind = ModeBits.ToKind(attributes.Mode);
        Scheduler scheduler = fileSystem.Scheduler;
        LockRank rank = Kind == FileKind.Directory ? LockRank.Directory : LockRank.Inode;
        Lock = new SharedLock(scheduler, rank, number.Value);
        Gate = new SharedLock(scheduler, LockRank.DirectIoGate, number.Value);
        Invalidation = new SharedLock(scheduler, LockRank.Invalidation, number.Value);
    }

    public FileSystem FileSystem { get; }

    public InodeNumber Number { get; }

    /// <summary>Tells the object apart from every other of its volume, earlier and later ones of the same number too.</summary>
    public ulong Incarnation { get; }

    public FileKind Kind { get; }

    /// <summary>The inode lock.</summary>
    public SharedLock Lock { get; }

    /// <summary>The direct-I/O gate: its shared count is the number of direct requests in flight (invariant 3.6).</summary>
    public SharedLock Gate { get; }

    /// <summary>The invalidation lock.</summary>
    public SharedLock Invalidation { get; }

    /// <summary>The cached pages of a file that has content, made when they are first asked for; null for the kinds that have none.</summary>
    public FilePages? Pages => Volatile.Read(ref _pages) ?? (HasPages ? MakePages() : null);

    /// <summary>The cached pages, if anybody has asked for them.</summary>
    public FilePages? PagesInUse => Volatile.Read(ref _pages);

    /// <summary>Where the file's blocks are; null for the kinds that have none.</summary>
    public abstract BlockMapper? Mapper { get; }

    /// <summary>The size in bytes. Read by anyone; set under the inode lock held exclusively.</summary>
    public long Size
    {
        get => Volatile.Read(ref _size);
        set => Volatile.Write(ref _size, value);
    }

    /// <summary>The size that the format stores at the next <see cref="StoreAsync"/>: never beyond data that has landed.</summary>
    public long StoredSize { get; set; }

    /// <summary>
    /// The page that had the end of the file in it when a cache above ours (the kernel's, over a mount) last read it; -1 if none has, or has dropped it since. In pages of the
    /// machine. The mount's to use.
    /// </summary>
    public long EndPageReadAbove
    {
        get => Volatile.Read(ref _endPageReadAbove);
        set => Volatile.Write(ref _endPageReadAbove, value);
    }

    /// <summary>Whether the file is open for writing.</summary>
    public bool HasWriters => Volatile.Read(ref _writers) != 0;

    /// <summary>It is opened for writing once more.</summary>
    public void AddWriter()
    {
        if (Interlocked.Increment(ref _writers) == 1)
        {
            _beganEmpty = Size == 0;
        }
    }

    /// <summary>One who had it open for writing has closed it. Any place; waits for nothing.</summary>
    public void RemoveWriter()
    {
        if (Interlocked.Decrement(ref _writers) == 0 && _beganEmpty)
        {
            EndWriting();
        }
    }

    /// <summary>
    /// A file that was empty when it was opened for writing is open no more: what was kept free for it to grow may go. One that had content then, such as a log that is opened for
    /// each entry, keeps it.
    /// </summary>
    protected virtual void EndWriting()
    {
    }

    /// <summary>A consistent copy of the attributes, from any thread.</summary>
    public InodeAttributes Attributes
    {
        get
        {
            lock (this)
            {
                return _attributes;
            }
        }
    }

    /// <summary>The mode and the flags, without a copy of the rest. The inode lock is held, in any mode: they change under it only.</summary>
    public (ushort Mode, FileFlags Flags) ModeAndFlags => (_attributes.Mode, _attributes.Flags);

    /// <summary>How many 512-byte units the file takes on the volume, as <c>st_blocks</c> counts.</summary>
    public abstract ulong Sectors { get; }

    /// <summary>
    /// <see cref="Sectors"/> as a stat tells them: what is written and has no place yet counts, and so does a file's content in the inode. To programs that
    /// archive or copy, a file with a size and without blocks is nothing but a hole, and they would lose what is in it.
    /// </summary>
    public ulong SectorsTold => Sectors
        + ((ulong)(PagesInUse?.DelayedBlocks ?? 0) * (uint)FileSystem.BlockSize / 512)
        + (HasInlineData && Kind == FileKind.Regular ? ((ulong)Size + 511) / 512 : 0);

    /// <summary>Whether the content lies in the inode itself: then I/O goes the buffered way, and <see cref="ReadInline"/> fills the page.</summary>
    public virtual bool HasInlineData => false;

    /// <summary>Whether the content goes through the journal's log, as metadata does, and is not written to its place until then.</summary>
    public virtual bool JournalsData => false;

    /// <summary>Whether direct I/O may go to the device; else it goes the buffered way (Rule 2.8).</summary>
    public virtual bool AllowsDirectIo => !HasInlineData && !JournalsData && (Attributes.Flags & FileFlags.DataJournalled) == 0;

    /// <summary>Whether the format protects itself against concurrent direct I/O, so that neither lock nor gate is touched (Rule 1.9).</summary>
    public virtual bool ProtectsItself => false;

    /// <summary>
    /// Whether the format brings direct I/O of its own (Rule 1.23), such as requests to a server: <see cref="ReadDirectAsync"/> and
    /// <see cref="WriteDirectAsync"/> stand in for the engine.
    /// </summary>
    public virtual bool HasOwnDirectIo => false;

    /// <summary>Whether the inode was made without a name (O_TMPFILE) and has had none yet: then a first one may be given to it.</summary>
    public bool IsUnnamed { get; set; }

    /// <summary>Whether changed attributes wait to be stored.</summary>
    public bool IsAttributesDirty => Volatile.Read(ref _isAttributesDirty) != 0;

    PageCache IPagedFile.PageCache => FileSystem.PageCache;

    Scheduler IPagedFile.Scheduler => FileSystem.Scheduler;

    BlockDevice IPagedFile.Device => FileSystem.Device;

    MetadataJournal IPagedFile.Journal => FileSystem.Journal;

    int IPagedFile.BlockSize => FileSystem.BlockSize;

    /// <summary>Whether the file has content, and so pages.</summary>
    protected bool HasPages { get; init; }

    /// <summary>How many open files, look-ups and operations refer to the inode. Guarded by the <see cref="InodeTable"/>.</summary>
    internal int References { get; set; }

    /// <summary>Its place on the list of those to be stored, or null. Guarded by the <see cref="InodeTable"/>.</summary>
    internal LinkedListNode<Inode>? DirtyNode { get; set; }

    /// <summary>
    /// Whether the object no longer stands for the inode, which was deleted or left the memory: whoever still holds it stores nothing, since
    /// the place on the volume may be another's by now.
    /// </summary>
    internal bool IsRetired => Volatile.Read(ref _isRetired);

    /// <summary>Changes attributes in memory and notes that they are to be stored. The inode lock is held exclusively, except for times.</summary>
    public void Change(AttributeChange change) => Change(change, static (ref InodeAttributes attributes, AttributeChange c) => c(ref attributes));

    /// <summary>As <see cref="Change(AttributeChange)"/>, without a closure.</summary>
    public void Change<T>(T argument, AttributeChange<T> change)
    {
        lock (this)
        {
            change(ref _attributes, argument);
        }

        // Who stores takes the mark off before he takes the latch: if it is still there after the latch, he will see the change.
        if (!IsAttributesDirty)
        {
            MarkAttributesDirty();
        }
    }

    /// <summary>Notes that attributes or the stored size are to be stored by the next commit or sync of this inode.</summary>
    public void MarkAttributesDirty()
    {
        if (Interlocked.Exchange(ref _isAttributesDirty, 1) == 0)
        {
            FileSystem.Inodes.AddDirty(this);
        }
    }

    /// <summary>
    /// Writes attributes and <see cref="StoredSize"/> into the inode's block, in <paramref name="handle"/>: one credit. If that fails they wait
    /// again, which a sync that saw them being stored learns when the handle has stopped (<see cref="InodeTable.FailedStores"/>).
    /// </summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    public async ValueTask StoreAsync(Handle handle)
    {
        // Cleared first, and seen to be before anything is read: a change in the meantime marks it again.
        Interlocked.Exchange(ref _isAttributesDirty, 0);
        try
        {
            await StoreRecordAsync(handle).ConfigureAwait(false);
        }
        catch
        {
            MarkAttributesDirty();
            FileSystem.Inodes.NoteFailedStore();
            throw;
        }

        FileSystem.Inodes.NoteStored(this);
    }

    /// <summary>Frees all blocks wholly beyond <paramref name="newSize"/> and stores the size, safe against a crash at any point (Rule 2.12).
    /// Inode lock, gate and invalidation lock are held exclusively; pages beyond are gone, and <see cref="Size"/> is set already.</summary>
    public abstract ValueTask TruncateBlocksAsync(long newSize);

    /// <summary>Frees the blocks of a range, leaving a hole. Inode lock, gate and invalidation lock are held exclusively.</summary>
    public abstract ValueTask PunchBlocksAsync(FileBlock first, ulong count);

    /// <summary>Removes the range and moves what follows down (collapse range). Locks as for <see cref="PunchBlocksAsync"/>.</summary>
    /// <exception cref="FileSystemException">NotSupported where the format cannot (block-mapped files).</exception>
    public abstract ValueTask CollapseBlocksAsync(FileBlock first, ulong count);

    /// <summary>Moves what starts at <paramref name="first"/> up by <paramref name="count"/>, leaving a hole. Locks as above.</summary>
    /// <exception cref="FileSystemException">NotSupported where the format cannot (block-mapped files).</exception>
    public abstract ValueTask InsertBlocksAsync(FileBlock first, ulong count);

    /// <summary>Makes allocated blocks of the range read as zeros without freeing them, by turning them unwritten where the format can; else
    /// punches. Locks as above.</summary>
    public abstract ValueTask ZeroBlocksAsync(FileBlock first, ulong count);

    /// <summary>Notes on the volume that the inode is being extended or is unlinked, so that recovery cuts or frees it (Rule 2.12).</summary>
    public abstract ValueTask AddOrphanAsync(Handle handle);

    /// <summary>Takes the note back.</summary>
    public abstract ValueTask RemoveOrphanAsync(Handle handle);

    /// <summary>How many credits <see cref="AddOrphanAsync"/> or <see cref="RemoveOrphanAsync"/> need.</summary>
    public abstract int OrphanCredits { get; }

    /// <summary>
    /// The end of I/O of a direct write to a file that protects itself (Rule 1.9): converts what was unwritten, publishes the size. Runs
    /// before the request is notified, in the completion's context.
    /// </summary>
    public virtual ValueTask EndDirectWriteAsync(long offset, long bytes, IReadOnlyList<BlockRun> unwritten) => ValueTask.CompletedTask;

    /// <summary>The point from which a file that is opened now is told of write-back errors (Rule 2.16). There was none before its first page.</summary>
    public ErrorCursor SampleErrors() => PagesInUse?.Errors.Sample() ?? new ErrorCursor(0);

    /// <summary>Reads for a format with direct I/O of its own. Neither lock nor gate is held; the range holds no dirty page when it begins.</summary>
    public virtual ValueTask<IoResult> ReadDirectAsync(SegmentList memory, long offset) =>
        throw new InvalidOperationException($"{Number} has no direct I/O of its own.");

    /// <summary>
    /// Writes for a format with direct I/O of its own. The inode lock is held exclusively, the gate is not; the range has no cached page when
    /// it begins. The size is published by the caller.
    /// </summary>
    public virtual ValueTask<IoResult> WriteDirectAsync(SegmentList memory, long offset) =>
        throw new InvalidOperationException($"{Number} has no direct I/O of its own.");

    /// <summary>Copies inline content into <paramref name="destination"/> and zeroes the rest of it.</summary>
    public virtual void ReadInline(Span<byte> destination) => throw new InvalidOperationException($"{Number} has no inline data.");

    /// <summary>Stores inline content. The inode lock is held exclusively or the page is under writeback.</summary>
    public virtual ValueTask WriteInlineAsync(ReadOnlyMemory<byte> content) => throw new InvalidOperationException($"{Number} has no inline data.");

    /// <summary>The most bytes of inline content that fit.</summary>
    public virtual int InlineCapacity => 0;

    /// <summary>Moves inline content to blocks. Inode lock, gate and invalidation lock are held exclusively (Rule 2.8).</summary>
    public virtual ValueTask ConvertFromInlineAsync() => ValueTask.CompletedTask;

    /// <summary>The value of an extended attribute, or null. Any lock mode of the inode.</summary>
    public abstract ValueTask<byte[]?> GetAttributeAsync(FileName name);

    /// <summary>Whether the inode surely has no extended attribute. Cheap, no I/O; false when not known. The inode lock is held, in any mode.</summary>
    public virtual bool HasNoAttributes => false;

    /// <summary>The names of all extended attributes, with their prefixes.</summary>
    public abstract ValueTask<IReadOnlyList<FileName>> ListAttributesAsync();

    /// <summary>Sets or, with a null <paramref name="value"/>, removes an extended attribute. The inode lock is held exclusively.</summary>
    /// <exception cref="FileSystemException">Exists, NoAttribute (by <paramref name="condition"/>), NoSpace, NotSupported for an unknown prefix.</exception>
    public abstract ValueTask SetAttributeAsync(FileName name, ReadOnlyMemory<byte>? value, AttributeCondition condition);

    /// <summary>Whether the inode may have file capabilities to clear on a write (Rule 2.21). Cheap; true when not known.</summary>
    public abstract bool MayHaveCapabilities { get; }

    /// <summary>The target of a symbolic link.</summary>
    public abstract ValueTask<byte[]> ReadLinkAsync();

    /// <summary>Ends the object's standing for the inode. Deletion does so as it frees the inode, inside the edit of its block.</summary>
    internal void Retire() => Volatile.Write(ref _isRetired, true);

    /// <summary>Stores the record, unless <see cref="IsRetired"/>, which is looked at inside the edit of the block.</summary>
    protected abstract ValueTask StoreRecordAsync(Handle handle);

    public override string ToString() => Number.ToString();

    private FilePages MakePages()
    {
        var made = new FilePages(this);
        return Interlocked.CompareExchange(ref _pages, made, null) ?? made;
    }
}

/// <summary>A change of attributes, made under the inode's latch: short, and calling nothing.</summary>
internal delegate void AttributeChange(ref InodeAttributes attributes);

/// <summary>A change of attributes with an argument.</summary>
internal delegate void AttributeChange<in T>(ref InodeAttributes attributes, T argument);

/// <summary>What must be true of an extended attribute for setting it to succeed.</summary>
internal enum AttributeCondition : byte
{
    None,

    /// <summary>It must not exist (XATTR_CREATE).</summary>
    MustNotExist,

    /// <summary>It must exist (XATTR_REPLACE, and removal).</summary>
    MustExist,
}

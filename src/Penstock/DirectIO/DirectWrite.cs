using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.DirectIO;

/// <summary>What a direct write is about, fixed once when its locks are held (Rules 1.10 and 2.15). Pooled with its request's life.</summary>
internal sealed class DirectWrite
{
    private static readonly Pool<DirectWrite> s_pool = new(() => new DirectWrite(), capacity: 1024);

    private BlockRun _newBlocks;

    private DirectWrite()
    {
    }

    public BlockMapper Mapper { get; private set; } = null!;

    public MetadataJournal Journal { get; private set; } = null!;

    /// <summary>Where the write starts, in bytes.</summary>
    public long Offset { get; private set; }

    /// <summary>Where it ends, in bytes; exclusive.</summary>
    public long End { get; private set; }

    /// <summary>The size of the file when the locks were taken.</summary>
    public long SizeBefore { get; private set; }

    /// <summary>Whether blocks may be allocated at all: only under the inode lock held exclusively (invariant 3.11).</summary>
    public bool IsExclusive { get; private set; }

    /// <summary>Whether any block was allocated.</summary>
    public bool HasAllocated { get; private set; }

    public bool IsExtending => End > SizeBefore;

    public static DirectWrite Rent(BlockMapper mapper, MetadataJournal journal, long offset, long end, long sizeBefore, bool isExclusive)
    {
        DirectWrite write = s_pool.Rent();
        write.Mapper = mapper;
        write.Journal = journal;
        write.Offset = offset;
        write.End = end;
        write.SizeBefore = sizeBefore;
        write.IsExclusive = isExclusive;
        write.HasAllocated = false;
        write._newBlocks = default;
        return write;
    }

    /// <summary>How many blocks the write covers from <paramref name="first"/> on, partly covered ones counted.</summary>
    public ulong BlocksFrom(FileBlock first) => (ulong)((End - 1) / Mapper.BlockSize) - first.Value + 1;

    /// <summary>
    /// Whether a direct write may make a block for this hole. A block-mapped file cannot hide a new block from readers, so inside its size only
    /// the buffered way may (Rule 1.11), and a block that holds any byte below the size is inside (Rule 2.3).
    /// </summary>
    public bool MayAllocate(FileBlock block, Scheduler scheduler)
    {
        if (!IsExclusive)
        {
            return false;
        }

        if (Mapper.CanBeUnwritten || scheduler.IsBroken(Rule.OverwriteOnlyInsideSize))
        {
            return true;
        }

        long firstBeyond = scheduler.IsBroken(Rule.PartialLastBlockIsInside)
            ? SizeBefore / Mapper.BlockSize
            : (SizeBefore + Mapper.BlockSize - 1) / Mapper.BlockSize;
        return (long)block.Value >= firstBeyond;
    }

    public void NoteNew(in BlockRun run)
    {
        HasAllocated = true;
        _newBlocks = run;
    }

    /// <summary>Whether the block was allocated by this write just now.</summary>
    public bool IsNew(FileBlock block) => HasAllocated && block >= _newBlocks.First && block < _newBlocks.End;

    public void Return()
    {
        Mapper = null!;
        Journal = null!;
        s_pool.Return(this);
    }
}

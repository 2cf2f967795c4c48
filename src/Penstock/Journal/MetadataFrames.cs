using System.Diagnostics;

namespace Penstock.Journal;

/// <summary>
/// The memory of a <see cref="VolumeMetadataCache"/>: frames of one block each, cut from aligned slabs, and the clock hand that takes clean ones
/// back. Guarded by the cache's latch.
/// </summary>
internal sealed class MetadataFrames : IDisposable
{
    private const int SlabBytes = 1 << 20;

    /// <summary>The first slab, and the second; then they double. A command that looks at a few blocks would spend its time on clearing memory.</summary>
    private const int FirstSlabBytes = 64 << 10;

    private const int PageSize = 4096;

    private readonly List<AlignedBuffer> _slabs = [];
    private readonly List<MetadataBlock> _frames = [];
    private readonly Stack<MetadataBlock> _free = new();
    private readonly int _blockSize;
    private readonly int _stride;
    private readonly int _framesPerSlab;
    private readonly int _alignment;
    private int _hand;

    public MetadataFrames(int blockSize, int memoryAlignment, long budget)
    {
        _blockSize = blockSize;
        _stride = Math.Max(blockSize, memoryAlignment);
        _alignment = Math.Max(PageSize, memoryAlignment);
        long budgetInFrames = Math.Max(budget / _stride, 1);
        _framesPerSlab = (int)Math.Min(budgetInFrames, Math.Max(SlabBytes / _stride, 1));
        Budget = budgetInFrames / _framesPerSlab * _framesPerSlab;
    }

    /// <summary>How many frames there may be before clean blocks have to make room.</summary>
    public long Budget { get; }

    /// <summary>How many frames there are.</summary>
    public int Count => _frames.Count;

    public MetadataBlock this[int frame] => _frames[frame];

    /// <summary>An empty frame; clean, unpinned blocks are evicted for it. Grows beyond the budget only if all is pinned or dirty.</summary>
    public MetadataBlock Take(Dictionary<Mapping.VolumeBlock, MetadataBlock> table) =>
        TryTakeWithinBudget(table) ?? Grow();

    /// <summary>As <see cref="Take"/>, but null where the budget would be exceeded.</summary>
    public MetadataBlock? TryTakeWithinBudget(Dictionary<Mapping.VolumeBlock, MetadataBlock> table)
    {
        if (_free.TryPop(out MetadataBlock? free))
        {
            return free;
        }

        return _frames.Count < Budget ? Grow() : Evict(table);
    }

    /// <summary>Takes back the frame of a block that is in no table, unpinned and not being read.</summary>
    public void Release(MetadataBlock block)
    {
        Debug.Assert(block.State != MetadataState.Free, "A frame is released once.");
        block.State = MetadataState.Free;
        _free.Push(block);
    }

    public bool AreAllUnpinned() => _frames.TrueForAll(static block => block.Pins == 0);

    public void Dispose()
    {
        foreach (AlignedBuffer slab in _slabs)
        {
            ((IDisposable)slab).Dispose();
        }

        _slabs.Clear();
        _frames.Clear();
        _free.Clear();
    }

    private MetadataBlock Grow()
    {
        int frames = Math.Min(_framesPerSlab, Math.Max(_frames.Count, Math.Max(FirstSlabBytes / _stride, 1)));
        frames = _frames.Count < Budget ? (int)Math.Min(frames, Budget - _frames.Count) : frames;
        var slab = new AlignedBuffer(frames * _stride, _alignment);
        _slabs.Add(slab);
        for (int i = 0; i < frames; i++)
        {
            var block = new MetadataBlock(default, slab.Segment.Slice(i * _stride, _blockSize)) { Frame = _frames.Count };
            _frames.Add(block);
            _free.Push(block);
        }

        return _free.Pop();
    }

    /// <summary>
    /// One frame by the clock: a block used since the hand last passed gets another round. Null after two rounds: everything is in use.
    /// </summary>
    private MetadataBlock? Evict(Dictionary<Mapping.VolumeBlock, MetadataBlock> table)
    {
        for (int steps = 2 * _frames.Count; steps > 0; steps--)
        {
            MetadataBlock block = _frames[_hand];
            _hand = _hand + 1 == _frames.Count ? 0 : _hand + 1;
            if (!CanTake(block))
            {
                continue;
            }

            if (block.State == MetadataState.Clean)
            {
                if (block.IsReferenced)
                {
                    block.IsReferenced = false;
                    continue;
                }

                table.Remove(block.Number);
            }

            block.State = MetadataState.Free;
            return block;
        }

        return null;
    }

    private static bool CanTake(MetadataBlock block) =>
        block is { Pins: 0, IsReading: false, IsOwed: false, LoggedIn: null, State: MetadataState.Clean or MetadataState.Forgotten };
}

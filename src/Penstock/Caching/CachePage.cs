using System.Numerics;
using Penstock.Memory;

namespace Penstock.Caching;

/// <summary>
/// One page of cached content, and the memory it lives in for good: pages are recycled, never freed one by one.
/// </summary>
/// <remarks>
/// <para>The life of a page. Every change is made under the latch of the owning <see cref="FilePages"/>:</para>
/// <list type="table">
/// <item><term>free</term><description>in the arena → filling, by a fill or a write that inserts it (locked, one pin for the tree, one for the inserter)</description></item>
/// <item><term>filling</term><description>locked, not up to date → clean, by the end of the fill; → gone, if the fill fails</description></item>
/// <item><term>clean</term><description>up to date → dirty, by a write that holds the page lock; → gone, by eviction, invalidation, removal</description></item>
/// <item><term>dirty</term><description>→ writeback, by writeback that holds the page lock; → gone, by removal only (invariant 3.4)</description></item>
/// <item><term>writeback</term><description>on its way to the device, content frozen → clean; → dirty, if the device failed</description></item>
/// <item><term>gone</term><description>out of the tree, kept by pins → free, with the last pin</description></item>
/// </list>
/// <para>Invariants, checked by <see cref="AssertState"/>: (1) dirty and writeback exclude each other; (2) both imply up to date; (3) a delayed block is
/// dirty; (4) a page in the tree has a pin; (5) a page without owner is neither dirty nor under writeback.</para>
/// </remarks>
internal sealed class CachePage(IoSegment memory, PageSlab slab)
{
    private int _pins;
    private bool _isUpToDate;
    private PageWaiter? _waiters;

    public IoSegment Memory => memory;

    public PageSlab Slab => slab;

    public int Length => memory.Length;

    /// <summary>Whose page it is; null while free, gone or fresh. Changed under the latch of the owner.</summary>
    public FilePages? Owner { get; set; }

    /// <summary>Its place in the file, in pages.</summary>
    public long Index { get; set; }

    /// <summary>Whether the content may be read. Read without the latch by who holds a pin.</summary>
    public bool IsUpToDate
    {
        get => Volatile.Read(ref _isUpToDate);
        set => Volatile.Write(ref _isUpToDate, value);
    }

    /// <summary>The page lock: held by a fill, by a write into the page, by writeback while it prepares, by removal.</summary>
    public bool IsLocked { get; set; }

    /// <summary>Whether the content is on its way to the device.</summary>
    public bool IsUnderWriteback { get; set; }

    /// <summary>Whether the last writeback failed and the page is dirty because of that.</summary>
    public bool HasFailed { get; set; }

    /// <summary>Whether it is under writeback after one that failed.</summary>
    public bool IsSentAgain { get; set; }

    /// <summary>The blocks of the page that are dirty, one bit each.</summary>
    public uint DirtyBlocks { get; set; }

    /// <summary>The dirty blocks that have a reservation in place of a block on the volume, one bit each.</summary>
    public uint DelayedBlocks { get; set; }

    /// <summary>Whether a read that comes here starts the next readahead.</summary>
    public bool IsReadaheadMarker { get; set; }

    /// <summary>Whether the page was used since the clock hand last came by. Set without the latch: a lost update costs a little age.</summary>
    public bool WasUsed { get; set; }

    public bool IsDirty => DirtyBlocks != 0;

    public int Pins => Volatile.Read(ref _pins);

    /// <summary>Whether the page can be dropped now. Latch held, so no pin can be added.</summary>
    public bool CanBeEvicted => Pins == 1 && IsUpToDate && !IsLocked && !IsUnderWriteback && !IsDirty;

    public void Pin() => Interlocked.Increment(ref _pins);

    public void Unpin()
    {
        int pins = Interlocked.Decrement(ref _pins);
        if (pins < 0)
        {
            throw new InvalidOperationException($"Page {Index} was unpinned once too often.");
        }

        if (pins <= 1)
        {
            slab.Cache.PageReleased(this, isFree: pins == 0);
        }
    }

    /// <summary>Latch held. Adds somebody who waits for the page's lock or its writeback.</summary>
    public ValueTask AddWaiter(Execution.Scheduler scheduler)
    {
        var waiter = PageWaiter.Rent(scheduler);
        waiter.Next = _waiters;
        _waiters = waiter;
        return waiter.Task;
    }

    /// <summary>Latch held. Takes the waiters off; the caller wakes them when it has let go of the latch.</summary>
    public PageWaiter? TakeWaiters()
    {
        PageWaiter? waiters = _waiters;
        _waiters = null;
        return waiters;
    }

    /// <summary>Prepares a free page for its next use.</summary>
    public void Reset()
    {
        Owner = null;
        IsUpToDate = false;
        IsLocked = false;
        HasFailed = false;
        IsReadaheadMarker = false;
        WasUsed = false;
    }

    /// <summary>Latch held. The invariants at the top, by number.</summary>
    public void AssertState()
    {
        int broken = IsDirty && IsUnderWriteback ? 1
            : (IsDirty || IsUnderWriteback) && !IsUpToDate ? 2
            : (DelayedBlocks & ~DirtyBlocks) != 0 && !IsUnderWriteback ? 3
            : Owner is not null && Pins < 1 ? 4
            : Owner is null && (IsDirty || IsUnderWriteback) ? 5
            : 0;
        if (broken != 0)
        {
            throw new InvalidOperationException($"Page {Index} breaks invariant {broken}.");
        }
    }

    public int CountDelayed() => BitOperations.PopCount(DelayedBlocks);
}

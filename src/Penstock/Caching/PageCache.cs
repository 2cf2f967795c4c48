using System.Runtime.CompilerServices;
using Penstock.Execution;

namespace Penstock.Caching;

/// <summary>
/// The cached pages of all files of this process, under one budget of memory: hands out pages, evicts clean ones by a clock that goes round all
/// files, counts the dirty ones and holds writers back when there are too many.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>Pages never take more memory than the budget. Writeback needs none, so it always makes progress and clean pages come of it.</item>
/// <item>Whoever waits for a page holds no page (no pin, no page lock), so that waiting cannot go round in a circle. What can do with fewer pages
/// asks for the others with <see cref="TryTake"/>.</item>
/// <item>A dirty page is never dropped to make room. When writeback fails and no room comes, those who wait get the fault.</item>
/// <item>Latches: a file's latch, then the cache's or the arena's; never the other way.</item>
/// </list>
/// </remarks>
internal sealed class PageCache
{
    private const int EvictedAtOnce = 32;
    private const int SmallestPage = 4096;

    private static PageCache? s_shared;

    private readonly PageArena _arena;
    private readonly WritebackLoop _writeback;
    private readonly WaitList _memoryWaiters;
    private readonly WaitList _dirtyWaiters;
    private long _dirtyBytes;
    private int _slabTurn;

    /// <param name="scheduler">Where background writeback runs.</param>
    /// <param name="budget">The most bytes of memory pages may take; 0: an eighth of the machine's memory.</param>
    public PageCache(Scheduler scheduler, long budget = 0)
    {
        Scheduler = scheduler;
        _arena = new PageArena(this, budget > 0 ? budget : DefaultBudget);
        _memoryWaiters = new WaitList(scheduler);
        _dirtyWaiters = new WaitList(scheduler);
        DirtyFiles = new DirtyFileList();
        _writeback = new WritebackLoop(this);
    }

    public Scheduler Scheduler { get; }

    /// <summary>The most bytes that pages may take.</summary>
    public long Budget => _arena.Budget;

    /// <summary>The bytes of memory that pages take now, free ones too.</summary>
    public long UsedBytes => _arena.SlabBytes;

    /// <summary>The bytes of pages that are dirty or under writeback.</summary>
    public long DirtyBytes => Volatile.Read(ref _dirtyBytes);

    /// <summary>From here on background writeback does not wait for pages to grow old.</summary>
    public long BackgroundLimit => Budget / 8;

    /// <summary>From here on writers wait for writeback.</summary>
    public long DirtyLimit => Budget / 2;

    /// <summary>The most bytes that are read ahead of one reader at once: a small cache has no room for what is not wanted yet.</summary>
    public int MostReadAhead => (int)Math.Min(ReadaheadState.MaxBytes, Budget / 8);

    /// <summary>The files that have dirty pages.</summary>
    internal DirtyFileList DirtyFiles { get; }

    private static long DefaultBudget => Math.Max(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8, PageSlab.Length);

    /// <summary>The cache of the process. The first caller's budget counts.</summary>
    public static PageCache GetShared(Scheduler scheduler, long budget = 0)
    {
        if (Volatile.Read(ref s_shared) is { } shared)
        {
            return shared;
        }

        var created = new PageCache(scheduler, budget);
        return Interlocked.CompareExchange(ref s_shared, created, null) ?? created;
    }

    /// <summary>The size of a page of a volume with this block size.</summary>
    public static int PageSizeFor(int blockSize) => Math.Max(SmallestPage, blockSize);

    /// <summary>A fresh page with one pin, or null where none can be had without waiting. Holds no latch while it evicts.</summary>
    public CachePage? TryTake(int pageSize)
    {
        CachePage? page = _arena.TryTake(pageSize);
        if (page is null && (Evict(pageSize) || EmptyOtherSlab(pageSize)))
        {
            page = _arena.TryTake(pageSize);
        }

        page?.Pin();
        return page;
    }

    /// <summary>A fresh page with one pin, waiting for room if need be. Invariant 2: the caller holds no page.</summary>
    public ValueTask<PageGrant> TakeAsync(int pageSize) =>
        TryTake(pageSize) is { } page ? new ValueTask<PageGrant>(new PageGrant(page, IoFault.None)) : WaitForPageAsync(pageSize);

    /// <summary>
    /// Holds a writer back while there is too much dirty data; called before it takes any lock. A file that fails to be written back
    /// is told so here rather than held for ever.
    /// </summary>
    public ValueTask<IoFault> ThrottleAsync(FilePages pages) =>
        DirtyBytes <= DirtyLimit ? new ValueTask<IoFault>(IoFault.None) : WaitForCleanAsync(pages);

    /// <summary>Gives all memory of pages back, for a cache that ends before its process does: nobody may look at a page of it any more.</summary>
    public void Abandon() => _arena.Abandon();

    /// <summary>Starts background writeback now, whatever the age of pages.</summary>
    public void KickWriteback() => _writeback.Kick();

    /// <summary>A page lost a pin: it may be free now, or become evictable.</summary>
    internal void PageReleased(CachePage page, bool isFree)
    {
        bool isRoom = isFree || !(page.IsDirty || page.IsUnderWriteback);
        if (isFree)
        {
            _arena.Return(page);
        }

        if (isRoom)
        {
            // A dirty page is no room: its waiters hear of it when it is clean, or that it cannot be written.
            _memoryWaiters.WakeOne();
        }
    }

    /// <summary>Pages became dirty.</summary>
    internal void AddDirty(int bytes)
    {
        long dirty = Interlocked.Add(ref _dirtyBytes, bytes);
        if (dirty > BackgroundLimit)
        {
            _writeback.Kick();
        }
        else
        {
            _writeback.Wind();
        }
    }

    /// <summary>Dirty pages became clean or went.</summary>
    internal void RemoveDirty(long bytes)
    {
        Interlocked.Add(ref _dirtyBytes, -bytes);
        _memoryWaiters.WakeOne();
        if (_dirtyWaiters.IsWanted && DirtyBytes <= DirtyLimit)
        {
            _dirtyWaiters.WakeAll(IoFault.None);
        }
    }

    /// <summary>A round of background writeback failed: those who wait for room learn why none may come.</summary>
    internal void WritebackRoundFailed(IoFault fault)
    {
        _memoryWaiters.WakeAll(fault);
        _dirtyWaiters.WakeAll(fault);
    }

    /// <summary>Whether somebody waits for room.</summary>
    internal bool IsRoomWanted => _memoryWaiters.IsWanted || _dirtyWaiters.IsWanted;

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<PageGrant> WaitForPageAsync(int pageSize)
    {
        while (true)
        {
            long announced = _memoryWaiters.Announce();
            try
            {
                if (TryTake(pageSize) is { } page)
                {
                    return new PageGrant(page, IoFault.None);
                }

                _writeback.Kick();
                IoFault fault = await _memoryWaiters.WaitAsync(announced).ConfigureAwait(false);
                if (fault != IoFault.None)
                {
                    return TryTake(pageSize) is { } last ? new PageGrant(last, IoFault.None) : new PageGrant(null, fault);
                }
            }
            finally
            {
                _memoryWaiters.Withdraw();
            }
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<IoFault> WaitForCleanAsync(FilePages pages)
    {
        while (true)
        {
            long announced = _dirtyWaiters.Announce();
            try
            {
                if (DirtyBytes <= DirtyLimit)
                {
                    return IoFault.None;
                }

                _writeback.Kick();
                IoFault fault = await _dirtyWaiters.WaitAsync(announced).ConfigureAwait(false);
                if (fault != IoFault.None)
                {
                    // Somebody's device has failed; who writes to another is not to suffer for it, as long as there are pages.
                    return pages.HasFailed ? fault : IoFault.None;
                }
            }
            finally
            {
                _dirtyWaiters.Withdraw();
            }
        }
    }

    /// <summary>Drops a few clean pages that were not used lately. Two rounds of the clock: the first takes the marks of use away.</summary>
    private bool Evict(int pageSize)
    {
        int evicted = 0;
        for (int left = 2 * _arena.CountPages(pageSize); left > 0 && evicted < EvictedAtOnce; left--)
        {
            if (_arena.NextCandidate(pageSize) is { } page && page.Owner?.TryEvict(page, isForced: false) == true)
            {
                evicted++;
            }
        }

        return evicted > 0;
    }

    /// <summary>Empties a slab of another page size, so that its memory can become one of this size.</summary>
    private bool EmptyOtherSlab(int pageSize)
    {
        int turn = Interlocked.Increment(ref _slabTurn) & int.MaxValue;
        if (_arena.FindOtherSlab(pageSize, turn) is not { } slab)
        {
            return false;
        }

        foreach (CachePage page in slab.Pages)
        {
            page.Owner?.TryEvict(page, isForced: true);
        }

        return _arena.TryRelease(slab);
    }
}

using System.Runtime.CompilerServices;
using Penstock.Execution;
using Penstock.Locking;

namespace Penstock.Caching;

/// <summary>
/// The cached pages of one file: finds them, locks them, and moves them through the states that <see cref="CachePage"/> lists.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>A page that is up to date holds zeros beyond the end of the file, so a write beyond the end finds its gap zeroed in the cache (Rule 2.11).</item>
/// <item>A page is made dirty only under its page lock and with the inode lock held exclusively; content changes only so.</item>
/// <item>A page under writeback is not changed: a writer waits for it (no copy is made, the device sees one state of each page).</item>
/// <item>Only <see cref="RemoveAsync"/> drops dirty pages (invariant 3.4 of the semantics).</item>
/// <item>A pin keeps the memory and the identity of a page, not its place: whoever locked a page looks whether it is still in the tree.</item>
/// </list>
/// </remarks>
internal sealed partial class FilePages
{
    private readonly object _latch = new();
    private readonly PageTree _tree = new();
    private readonly LinkedListNode<FilePages> _dirtyNode;

    public FilePages(IPagedFile file)
    {
        File = file;
        PageSize = PageCache.PageSizeFor(file.BlockSize);
        BlocksPerPage = PageSize / file.BlockSize;
        Errors = new WritebackErrors(file.Scheduler);
        _dirtyNode = new LinkedListNode<FilePages>(this);
    }

    /// <summary>Whether no page is cached.</summary>
    public bool IsEmpty => _tree.Count == 0;

    /// <summary>How many pages are cached.</summary>
    public int Count => _tree.Count;

    public WritebackErrors Errors { get; }

    /// <summary>The size of a page in bytes: 4096, or the volume's block size where that is larger.</summary>
    public int PageSize { get; }

    /// <summary>How many blocks a page has; 1 where blocks are as large as pages.</summary>
    public int BlocksPerPage { get; }

    internal IPagedFile File { get; }

    private Scheduler Scheduler => File.Scheduler;

    private uint AllBlocks => BlocksPerPage == 32 ? uint.MaxValue : (1u << BlocksPerPage) - 1;

    /// <summary>
    /// Copies bytes of a page that is there and may be read, without a latch; false where it is not, or where that is not to be seen without one. Waits for
    /// nothing and allocates nothing. Called in a user place: <paramref name="destination"/> may be the user's.
    /// </summary>
    public bool TryCopy(long index, int within, Span<byte> destination) => _tree.TryCopy(index, within, destination);

    /// <summary>Takes a readahead marker off a page, which is pinned; false where somebody else did.</summary>
    public bool TakeMarker(CachePage page)
    {
        lock (_latch)
        {
            bool isMarker = page.IsReadaheadMarker;
            page.IsReadaheadMarker = false;
            PublishIfReady(page);
            return isMarker;
        }
    }

    /// <summary>The page if it is there and may be read; pinned. Waits for nothing and allocates nothing.</summary>
    public CachePage? TryPinUpToDate(long index)
    {
        lock (_latch)
        {
            if (_tree.Get(index) is not { IsUpToDate: true } page)
            {
                return null;
            }

            page.Pin();
            page.WasUsed = true;
            return page;
        }
    }

    /// <summary>The page in whatever state; pinned.</summary>
    public CachePage? TryPin(long index)
    {
        lock (_latch)
        {
            CachePage? page = _tree.Get(index);
            page?.Pin();
            return page;
        }
    }

    /// <summary>The next page from <paramref name="from"/> to <paramref name="last"/> that has the tag; pinned.</summary>
    public CachePage? PinNext(long from, long last, PageTag tag)
    {
        lock (_latch)
        {
            long index = _tree.FindNext(from, last, tag);
            if (index < 0)
            {
                return null;
            }

            CachePage page = _tree.Get(index)!;
            page.Pin();
            return page;
        }
    }

    /// <summary>The index of the next page from <paramref name="from"/> to <paramref name="last"/> that has the tag, or -1.</summary>
    public long FindNext(long from, long last, PageTag tag)
    {
        lock (_latch)
        {
            return _tree.FindNext(from, last, tag);
        }
    }

    /// <summary>Whether a page is cached, in whatever state.</summary>
    public bool Contains(long index)
    {
        lock (_latch)
        {
            return _tree.Get(index) is not null;
        }
    }

    /// <summary>Puts a fresh page into the tree, locked; false where there is one already. The caller's pin stays his.</summary>
    public bool TryInsertLocked(long index, CachePage fresh)
    {
        Scheduler.Recorder?.Acquiring(LockRank.Page, (ulong)index, fresh, isExclusive: true);
        lock (_latch)
        {
            if (_tree.Get(index) is not null)
            {
                return false;
            }

            fresh.Owner = this;
            fresh.Index = index;
            fresh.IsLocked = true;
            fresh.WasUsed = true;
            fresh.Pin();
            _tree.Insert(index, fresh);
        }

        Scheduler.Recorder?.Acquired(LockRank.Page, (ulong)index, fresh, isExclusive: true);
        return true;
    }

    /// <summary>Locks a page if nobody has it locked.</summary>
    public bool TryLock(CachePage page)
    {
        lock (_latch)
        {
            if (page.IsLocked)
            {
                return false;
            }

            page.IsLocked = true;
        }

        Scheduler.Recorder?.Acquired(LockRank.Page, (ulong)page.Index, page, isExclusive: true);
        return true;
    }

    /// <summary>Locks a page on which the caller has a pin. It may be out of the tree by then: see <see cref="IsCached"/>.</summary>
    public ValueTask LockAsync(CachePage page)
    {
        Scheduler.Recorder?.Acquiring(LockRank.Page, (ulong)page.Index, page, isExclusive: true);
        return TryLock(page) ? ValueTask.CompletedTask : LockWaitingAsync(page);
    }

    public void Unlock(CachePage page)
    {
        Scheduler.Recorder?.Released(LockRank.Page, page, isExclusive: true);
        PageWaiter? waiters;
        lock (_latch)
        {
            page.IsLocked = false;
            page.AssertState();
            waiters = page.TakeWaiters();
        }

        PageWaiter.WakeAll(waiters);
    }

    /// <summary>Whether the page is in the tree and up to date. True stays true while the caller holds its lock.</summary>
    public bool IsCached(CachePage page)
    {
        lock (_latch)
        {
            return page.Owner == this && page.IsUpToDate;
        }
    }

    /// <summary>Waits until nobody has the page locked.</summary>
    public ValueTask WaitUnlockedAsync(CachePage page)
    {
        lock (_latch)
        {
            return page.IsLocked ? WaitUnlockedAsync(page, page.AddWaiter(Scheduler)) : ValueTask.CompletedTask;
        }
    }

    /// <summary>Waits until the page is not on its way to the device.</summary>
    public ValueTask WaitWritebackAsync(CachePage page)
    {
        lock (_latch)
        {
            return page.IsUnderWriteback ? WaitWritebackAsync(page, page.AddWaiter(Scheduler)) : ValueTask.CompletedTask;
        }
    }

    /// <summary>The end of a fill for one page, which is locked: its content is right, or the page goes.</summary>
    public void EndFill(CachePage page, bool isUpToDate)
    {
        Scheduler.Recorder?.Released(LockRank.Page, page, isExclusive: true);
        PageWaiter? waiters;
        lock (_latch)
        {
            page.IsLocked = false;
            page.IsUpToDate = isUpToDate;
            PublishIfReady(page);
            waiters = isUpToDate ? page.TakeWaiters() : Detach(page);
        }

        if (!isUpToDate)
        {
            page.Unpin();
        }

        PageWaiter.WakeAll(waiters);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask LockWaitingAsync(CachePage page)
    {
        while (!TryLock(page))
        {
            await WaitUnlockedAsync(page).ConfigureAwait(false);
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask WaitUnlockedAsync(CachePage page, ValueTask first)
    {
        await first.ConfigureAwait(false);
        await WaitUnlockedAsync(page).ConfigureAwait(false);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask WaitWritebackAsync(CachePage page, ValueTask first)
    {
        await first.ConfigureAwait(false);
        await WaitWritebackAsync(page).ConfigureAwait(false);
    }

    /// <summary>Latch held: lets readers without a latch find a page of the tree, unless a reader must notice that he comes to it.</summary>
    private void PublishIfReady(CachePage page)
    {
        if (page.Owner == this && page.IsUpToDate && !page.IsReadaheadMarker)
        {
            _tree.Publish(page.Index, page.Memory.Address);
        }
    }

    /// <summary>The first and last page of a byte range. A range may reach to the end of all files.</summary>
    private (long First, long Last) PagesOf(long offset, long length)
    {
        long end = length > long.MaxValue - offset ? long.MaxValue : offset + length;
        return (offset / PageSize, (end - 1) / PageSize);
    }
}

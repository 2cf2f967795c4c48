using System.Runtime.CompilerServices;
using Penstock.Execution;

namespace Penstock.Caching;

/// <content>How pages leave: evicted to make room, invalidated because the device has newer data, removed with their blocks.</content>
internal sealed partial class FilePages
{
    /// <summary>
    /// Drops the pages of a range whose content the device has, after waiting for fills and writeback of them. Dirty pages stay (invariant 3.4):
    /// false then. Waits for no inode lock, so completions may call it (Rule 2.18).
    /// </summary>
    public ValueTask<bool> InvalidateAsync(long offset, long length) =>
        IsEmpty || length <= 0 ? new ValueTask<bool>(true) : InvalidatePagesAsync(offset, length);

    /// <summary>
    /// Removes what the cache has of a range whose blocks go or lose their content: pages that lie in it wholly go, dirty or not; in others the range
    /// is zeroed, and blocks that lie in it wholly are clean after that. Reservations of dropped blocks are given back. Waits
    /// for writeback of every page it touches. The inode lock and the invalidation lock are held exclusively (Rule 2.9).
    /// </summary>
    public ValueTask RemoveAsync(long offset, long length) =>
        IsEmpty || length <= 0 ? ValueTask.CompletedTask : RemovePagesAsync(offset, length);

    /// <summary>Drops a clean page to make room. False where it is in use, or was used since the clock hand last came by.</summary>
    internal bool TryEvict(CachePage page, bool isForced)
    {
        PageWaiter? waiters;
        lock (_latch)
        {
            if (page.Owner != this || !page.CanBeEvicted)
            {
                return false;
            }

            bool wasUsed = _tree.TakeUse(page.Index) || page.WasUsed;
            if (wasUsed && !isForced)
            {
                page.WasUsed = false;
                return false;
            }

            waiters = Detach(page);
        }

        page.Unpin();
        PageWaiter.WakeAll(waiters);
        return true;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<bool> InvalidatePagesAsync(long offset, long length)
    {
        (long next, long last) = PagesOf(offset, length);
        bool isGone = true;
        while (PinNext(next, last, PageTag.Present) is { } page)
        {
            next = page.Index + 1;
            isGone &= await InvalidatePageAsync(page).ConfigureAwait(false);
            page.Unpin();
        }

        return isGone;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<bool> InvalidatePageAsync(CachePage page)
    {
        while (true)
        {
            await WaitUnlockedAsync(page).ConfigureAwait(false);
            await WaitWritebackAsync(page).ConfigureAwait(false);
            if (TryInvalidate(page) is { } isGone)
            {
                return isGone;
            }
        }
    }

    /// <summary>Whether the page is gone; null where it has to be waited for again.</summary>
    private bool? TryInvalidate(CachePage page)
    {
        PageWaiter? waiters;
        bool wasDirty;
        lock (_latch)
        {
            if (page.Owner != this)
            {
                return true;
            }

            if (page.IsLocked || page.IsUnderWriteback)
            {
                return null;
            }

            wasDirty = page.IsDirty;
            if (wasDirty && !Scheduler.IsBroken(Rule.InvalidationKeepsDirtyPages))
            {
                return false;
            }

            waiters = Detach(page);
        }

        AfterDetach(page, waiters, wasDirty);
        return true;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask RemovePagesAsync(long offset, long length)
    {
        (long next, long last) = PagesOf(offset, length);
        long end = length > long.MaxValue - offset ? long.MaxValue : offset + length;
        int cancelled = 0;
        while (PinNext(next, last, PageTag.Present) is { } page)
        {
            next = page.Index + 1;
            await LockAsync(page).ConfigureAwait(false);
            await WaitWritebackAsync(page).ConfigureAwait(false);
            cancelled += RemoveFrom(page, offset, end);
            Unlock(page);
            page.Unpin();
        }

        if (cancelled > 0)
        {
            File.Mapper!.CancelReservation((ulong)cancelled);
        }
    }

    /// <summary>Removes the part of the range that lies in the page, which is locked; returns how many reservations that sets free.</summary>
    private int RemoveFrom(CachePage page, long offset, long end)
    {
        long start = page.Index * PageSize;
        int from = (int)Math.Max(0, offset - start);
        int to = (int)Math.Min(PageSize, end - start);
        int delayed = page.CountDelayed();
        bool isDetached;
        bool isCleaned;
        PageWaiter? waiters = null;
        if (from > 0 || to < PageSize)
        {
            page.Memory.Slice(from, to - from).Bytes.Clear();
        }

        lock (_latch)
        {
            bool wasDirty = page.IsDirty;
            isDetached = page.Owner == this && from == 0 && to == PageSize;
            if (isDetached)
            {
                waiters = Detach(page);
            }
            else if (page.Owner == this)
            {
                uint removed = WholeBlocks(from, to);
                page.DirtyBlocks &= ~removed;
                ChangeDelayed(page, page.DelayedBlocks & ~removed);
                if (wasDirty && !page.IsDirty)
                {
                    _tree.SetTag(page.Index, PageTag.Dirty, isSet: false);
                    ClearFailed(page);
                    CountClean();
                }
            }

            isCleaned = wasDirty && !page.IsDirty;
            delayed -= page.CountDelayed();
        }

        if (isDetached)
        {
            AfterDetach(page, waiters, isCleaned);
        }
        else if (isCleaned)
        {
            File.PageCache.RemoveDirty(PageSize);
        }

        return delayed;
    }

    /// <summary>The blocks of a page that lie wholly between two bytes of it.</summary>
    private uint WholeBlocks(int from, int to)
    {
        int blockSize = File.BlockSize;
        int first = (from + blockSize - 1) / blockSize;
        int count = (to / blockSize) - first;
        return count <= 0 ? 0 : (count == 32 ? uint.MaxValue : (1u << count) - 1) << first;
    }

    /// <summary>Latch held: takes the page out of the tree. The tree's pin is the caller's to give back, and the waiters his to wake.</summary>
    private PageWaiter? Detach(CachePage page)
    {
        _tree.Remove(page.Index);
        if (page.IsDirty)
        {
            ClearFailed(page);
            CountClean();
        }

        page.DirtyBlocks = 0;
        ChangeDelayed(page, 0);
        page.Owner = null;
        page.AssertState();
        return page.TakeWaiters();
    }

    private void AfterDetach(CachePage page, PageWaiter? waiters, bool wasDirty)
    {
        page.Unpin();
        PageWaiter.WakeAll(waiters);
        if (wasDirty)
        {
            File.PageCache.RemoveDirty(PageSize);
        }
    }
}

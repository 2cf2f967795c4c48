using System.Numerics;
using Penstock.Execution;
using System.Runtime.CompilerServices;
using Penstock.Locking;

namespace Penstock.Caching;

/// <content>From clean to dirty to writeback and back.</content>
internal sealed partial class FilePages
{
    private int _dirtyPages;
    private int _failedPages;
    private long _delayedBlocks;
    private long _dirtySince;
    private bool _hasUnstoredSize;

    /// <summary>Whether pages are dirty or on their way to the device. While they are, the file must stay in memory.</summary>
    public bool IsDirty => Volatile.Read(ref _dirtyPages) != 0;

    /// <summary>Whether pages are dirty because the device or the volume did not take them.</summary>
    public bool HasFailed => Volatile.Read(ref _failedPages) != 0;

    /// <summary>How many blocks of the file have a reservation and no place on the volume yet.</summary>
    public long DelayedBlocks => Volatile.Read(ref _delayedBlocks);

    /// <summary>Whether the stored size has changed since it was last put into the inode's block: what fdatasync must not leave out.</summary>
    public bool HasUnstoredSize
    {
        get => Volatile.Read(ref _hasUnstoredSize);
        set => Volatile.Write(ref _hasUnstoredSize, value);
    }

    /// <summary>When the file became dirty, by the monotonic clock in nanoseconds.</summary>
    public long DirtySince => Volatile.Read(ref _dirtySince);

    /// <summary>After a failure the file waits for its next turn as if it had become dirty just now.</summary>
    public void PostponeRetry() => Volatile.Write(ref _dirtySince, Scheduler.MonotonicNanoseconds);

    /// <summary>Locks and pins a page if that, and a change of its content, is possible here and now.</summary>
    public CachePage? TryBeginWrite(long index)
    {
        CachePage? page;
        lock (_latch)
        {
            page = _tree.Get(index);
            if (page is null || !page.IsUpToDate || page.IsLocked || page.IsUnderWriteback)
            {
                return null;
            }

            page.Pin();
            page.IsLocked = true;
            page.WasUsed = true;
        }

        Scheduler.Recorder?.Acquiring(LockRank.Page, (ulong)index, page, isExclusive: true);
        Scheduler.Recorder?.Acquired(LockRank.Page, (ulong)index, page, isExclusive: true);
        return page;
    }

    /// <summary>The end of a change: marks blocks dirty, and those of them delayed that were reserved for it; unlocks and unpins.</summary>
    public void EndWrite(CachePage page, uint dirtyBlocks, uint delayedBlocks)
    {
        Scheduler.Recorder?.Released(LockRank.Page, page, isExclusive: true);
        bool wasDirty;
        PageWaiter? waiters;
        lock (_latch)
        {
            wasDirty = page.IsDirty;
            if (!page.IsUpToDate)
            {
                page.IsUpToDate = true;
                PublishIfReady(page);
            }

            page.DirtyBlocks |= dirtyBlocks;
            ChangeDelayed(page, page.DelayedBlocks | delayedBlocks);
            page.IsLocked = false;
            if (!wasDirty && page.IsDirty)
            {
                _tree.SetTag(page.Index, PageTag.Dirty, isSet: true);
                CountDirty();
            }

            page.AssertState();
            waiters = page.TakeWaiters();
        }

        PageWaiter.WakeAll(waiters);
        page.Unpin();
        if (!wasDirty && dirtyBlocks != 0)
        {
            File.PageCache.AddDirty(PageSize);
        }
    }

    /// <summary>
    /// From dirty to writeback, under the page lock. The dirty blocks are the caller's now; they come back with <see cref="EndWriteback"/>.
    /// </summary>
    public void BeginWriteback(CachePage page)
    {
        lock (_latch)
        {
            page.DirtyBlocks = 0;
            page.IsUnderWriteback = true;
            _tree.SetTag(page.Index, PageTag.Dirty, isSet: false);
            _tree.SetTag(page.Index, PageTag.Writeback, isSet: true);
            page.IsSentAgain = page.HasFailed;
            ClearFailed(page);
            page.AssertState();
        }
    }

    /// <summary>From writeback to clean, or back to dirty with the blocks that did not land: they are never dropped.</summary>
    public void EndWriteback(CachePage page, uint blocksLeft)
    {
        PageWaiter? waiters;
        lock (_latch)
        {
            page.IsUnderWriteback = false;
            page.IsSentAgain = false;
            _tree.SetTag(page.Index, PageTag.Writeback, isSet: false);
            if (blocksLeft != 0)
            {
                page.DirtyBlocks = blocksLeft;
                page.HasFailed = true;
                _failedPages++;
                _tree.SetTag(page.Index, PageTag.Dirty, isSet: true);
            }
            else
            {
                CountClean();
            }

            page.AssertState();
            waiters = page.TakeWaiters();
        }

        PageWaiter.WakeAll(waiters);
        if (blocksLeft == 0)
        {
            File.PageCache.RemoveDirty(PageSize);
        }
    }

    /// <summary>Notes that a dirty page, which is locked, could not even be sent.</summary>
    public void NoteFailed(CachePage page)
    {
        lock (_latch)
        {
            if (page.IsDirty && !page.HasFailed)
            {
                page.HasFailed = true;
                _failedPages++;
            }
        }
    }

    /// <summary>Sets which blocks of a dirty page have a reservation, under the page lock.</summary>
    public void SetDelayed(CachePage page, uint blocks)
    {
        lock (_latch)
        {
            ChangeDelayed(page, blocks);
        }
    }

    /// <summary>Latch held: the only place where a page's delayed blocks change, so that the file's count of them is true.</summary>
    private void ChangeDelayed(CachePage page, uint blocks)
    {
        _delayedBlocks += BitOperations.PopCount(blocks) - page.CountDelayed();
        page.DelayedBlocks = blocks;
    }

    /// <summary>Whether a page of the range is dirty because its writeback failed.</summary>
    public bool HasFailedIn(long first, long last)
    {
        lock (_latch)
        {
            if (_failedPages == 0)
            {
                return false;
            }

            for (long i = _tree.FindNext(first, last, PageTag.Dirty); i >= 0; i = _tree.FindNext(i + 1, last, PageTag.Dirty))
            {
                if (_tree.Get(i)!.HasFailed)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Whether a page of the range, whose writeback failed, is on its way to the device once more.</summary>
    private bool IsSentAgainIn(long first, long last)
    {
        lock (_latch)
        {
            for (long i = _tree.FindNext(first, last, PageTag.Writeback); i >= 0; i = _tree.FindNext(i + 1, last, PageTag.Writeback))
            {
                if (_tree.Get(i)!.IsSentAgain)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>How many consecutive dirty pages start at <paramref name="index"/>, at most <paramref name="most"/>, and whether one is delayed.</summary>
    public int CountDirtyFrom(long index, int most, out bool isDelayed)
    {
        isDelayed = false;
        int count = 0;
        lock (_latch)
        {
            while (count < most && _tree.Get(index + count) is { IsDirty: true } page)
            {
                isDelayed |= page.DelayedBlocks != 0;
                count++;
            }
        }

        return count;
    }

    /// <summary>Moves the stored size forward to where data has landed, never beyond the size.</summary>
    public bool AdvanceStoredSize(long end)
    {
        bool isMoved;
        lock (_latch)
        {
            long stored = Math.Min(File.Size, end);
            isMoved = stored > File.StoredSize;
            if (isMoved)
            {
                File.StoredSize = stored;
            }
        }

        if (isMoved)
        {
            HasUnstoredSize = true;
            File.MarkAttributesDirty();
        }

        return isMoved;
    }

    /// <summary>Changes size and stored size as one, against a completion that moves the latter forward.</summary>
    public void ChangeSizes<T>(T argument, Action<T> change)
    {
        lock (_latch)
        {
            change(argument);
        }

        HasUnstoredSize = true;
    }

    /// <summary>Waits until no page of the range is on its way to the device.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    public async ValueTask WaitWritebackAsync(long first, long last)
    {
        while (PinNext(first, last, PageTag.Writeback) is { } page)
        {
            first = page.Index + 1;
            await WaitWritebackAsync(page).ConfigureAwait(false);
            page.Unpin();
        }
    }

    /// <summary>Latch held.</summary>
    private void CountDirty()
    {
        if (_dirtyPages++ == 0)
        {
            _dirtySince = Scheduler.MonotonicNanoseconds;
            File.PageCache.DirtyFiles.Add(_dirtyNode);
        }
    }

    /// <summary>Latch held.</summary>
    private void CountClean()
    {
        if (--_dirtyPages == 0)
        {
            File.PageCache.DirtyFiles.Remove(_dirtyNode);
        }
    }

    /// <summary>Latch held.</summary>
    private void ClearFailed(CachePage page)
    {
        if (page.HasFailed)
        {
            page.HasFailed = false;
            _failedPages--;
        }
    }
}

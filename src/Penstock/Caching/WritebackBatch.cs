using System.Diagnostics;
using System.Runtime.CompilerServices;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Caching;

/// <summary>How the start of a batch ended.</summary>
/// <param name="Next">The page to go on with.</param>
/// <param name="Fault">Why pages before <paramref name="Next"/> could not be sent; they stay dirty.</param>
/// <param name="MustAllocate">The first page turned out to need blocks or a conversion that was not prepared for: again, prepared.</param>
internal readonly record struct BatchStart(long Next, IoFault Fault, bool MustAllocate = false);

/// <summary>
/// Consecutive dirty pages of one file on their way to the device: prepared, submitted, completed. Pooled.
/// </summary>
/// <remarks>
/// <para>The order of its steps is the point of it:</para>
/// <list type="number">
/// <item>Before any page is locked: what the pages will need is looked up, credits for the completion are reserved (Rule 2.18), and a handle is begun, if
/// blocks must be allocated. Both may wait for room in the log, and that may wait for pages.</item>
/// <item>Pages are locked by index, the first by waiting, the others only if nobody has them; their dirty blocks are mapped, delayed ones
/// allocated: unwritten where the format can (Rule 2.17). Need for what was not prepared ends the batch there.</item>
/// <item>The handle is stopped, the pages go from dirty to writeback and are unlocked, the device gets its requests.</item>
/// <item>At completion: unwritten blocks are converted, the stored size moves forward, the pages are clean; or, after any failure, all of them
/// are dirty again and the error is recorded once. No inode lock is needed (Rule 2.18).</item>
/// </list>
/// <para>Dirty blocks of a batch are consecutive, so one conversion does for all; only a batch of a single page may have gaps.</para>
/// </remarks>
internal sealed partial class WritebackBatch : IDeviceRequestOwner
{
    /// <summary>The most bytes of one batch: what is allocated at once, and so stays together on the volume.</summary>
    public const int MaxBytes = 4 << 20;

    /// <summary>The most bytes of one device request.</summary>
    private const int MaxRequestBytes = 1 << 20;

    private const int MaxPages = MaxBytes / 4096;

    private static readonly Pool<WritebackBatch> s_pool = new(() => new WritebackBatch());

    private readonly CachePage[] _pages = new CachePage[MaxPages];
    private readonly uint[] _dirty = new uint[MaxPages];
    private readonly List<BlockRun> _runs = [];
    private FilePages _file = null!;
    private long _first;
    private int _count;
    private Handle? _handle;
    private DataClaim? _claim;
    private ReservedHandle? _reserved;
    private bool _isLogged;
    private bool _isInLog;
    private bool _mayConvert;

    /// <summary>Credits of the handle that allocating must leave for what follows.</summary>
    private int _keptCredits;
    private int _outstanding;
    private int _fault;
    private PooledCompletion<bool>? _done;

    private WritebackBatch()
    {
    }

    private int BlockSize => _file.File.BlockSize;

    private BlockMapper Mapper => _file.File.Mapper!;

    private Scheduler Scheduler => _file.File.Scheduler;

    /// <summary>
    /// Sends the dirty pages that start at <paramref name="first"/>, as many as go together, at most <paramref name="most"/>. Returns when they are
    /// submitted; the pages tell when they have landed. Locks no inode; holds a handle and page locks meanwhile.
    /// </summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<BatchStart> StartAsync(FilePages file, long first, int most, bool mustAllocate)
    {
        bool isLogged = GoesToLog(file);
        most = Math.Min(most, isLogged ? Math.Max(file.File.Journal.DataBlocksPerHandle / file.BlocksPerPage, 1) : MaxBytes / file.PageSize);
        int count = file.CountDirtyFrom(first, most, out bool isDelayed);
        if (count == 0)
        {
            return new BatchStart(first + 1, IoFault.None);
        }

        WritebackBatch batch = s_pool.Rent();
        batch._file = file;
        batch._first = first;
        batch._isLogged = isLogged;
        bool isSubmitted = false;
        try
        {
            await batch.PrepareAsync(count, isDelayed || mustAllocate, mustAllocate).ConfigureAwait(false);
            await batch.LockPagesAsync(count).ConfigureAwait(false);
            if (GoesToLog(file) != isLogged)
            {
                // The content has left its inode meanwhile: again, prepared for that.
                batch.ReleasePages(0);
                return new BatchStart(first, IoFault.None);
            }

            BatchStart start = await batch.MapAsync().ConfigureAwait(false);
            isSubmitted = batch._count > 0 && !isLogged;
            await batch.EndMappingAsync().ConfigureAwait(false);
            return start;
        }
        catch (FileSystemException e)
        {
            return batch.FailAll(count, e.Fault);
        }
        catch (ObjectDisposedException)
        {
            // The volume was closed with what could not be written; its pages leave the cache.
            return batch.FailAll(count, IoFault.BadHandle);
        }
        finally
        {
            batch.StopHandle();
            if (batch._isInLog)
            {
                batch.EndLogged();
            }
            else if (isSubmitted)
            {
                batch.Submit();
            }
            else
            {
                batch.Abandon();
            }
        }
    }

    void IDeviceRequestOwner.RequestCompleted(DeviceRequest request, IoResult result)
    {
        if (result.Bytes < request.Length)
        {
            NoteFault(result.IsFailed ? result.Fault : IoFault.DeviceFailed);
        }

        request.Return();
        PartCompleted();
    }

    /// <summary>Step 1. Nothing is locked yet.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask PrepareAsync(int count, bool allocates, bool converts)
    {
        if (_file.File.HasInlineData)
        {
            return;
        }

        ulong blocks = (ulong)(count * _file.BlocksPerPage);
        if (!allocates || !converts)
        {
            (bool hasHole, bool hasUnwritten) = await LookAsync(blocks).ConfigureAwait(false);
            allocates |= hasHole;
            converts |= hasUnwritten;
        }

        converts |= allocates && Mapper.CanBeUnwritten && !_isLogged;
        _mayConvert = converts;

        // A batch of several pages is converted in one piece; a single page may have a gap at every second block. One credit is for the inode.
        int pieces = (_file.BlocksPerPage + 1) / 2;
        int credits = (converts ? pieces * Mapper.CreditsToConvert(blocks) : 0) + 1;
        if (_isLogged)
        {
            _keptCredits = credits + (int)blocks;
        }
        else if (converts)
        {
            _reserved = await _file.File.Journal.ReserveAsync(credits).ConfigureAwait(false);
        }

        if (allocates || _isLogged)
        {
            int more = HasBlocksInStep ? _file.BlocksPerPage * Mapper.CreditsToAllocate(1) : 0;
            int toAllocate = allocates ? Mapper.CreditsToAllocate(blocks) + more : 0;
            _handle = await _file.File.Journal.BeginAsync(toAllocate + _keptCredits).ConfigureAwait(false);
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<(bool HasHole, bool HasUnwritten)> LookAsync(ulong blocks)
    {
        bool hasHole = false;
        bool hasUnwritten = false;
        var next = new FileBlock((ulong)(_first * _file.BlocksPerPage));
        for (FileBlock end = next + blocks; next < end;)
        {
            BlockRun run = await FindAsync(next, end - next).ConfigureAwait(false);
            hasHole |= run.State == MapState.Hole;
            hasUnwritten |= run.State == MapState.Unwritten;
            next = run.End;
        }

        return (hasHole, hasUnwritten);
    }

    private ValueTask<BlockRun> FindAsync(FileBlock first, ulong count) =>
        Mapper.TryMap(first, count, out BlockRun run) ? new ValueTask<BlockRun>(run) : Mapper.MapAsync(first, count);

    private ValueTask EndMappingAsync() => _isLogged ? EndLoggingAsync() : ClaimDataAsync();

    /// <summary>
    /// New blocks that cannot be unwritten are the file's as soon as their transaction is committed, so that one waits for the data, and has the size that goes
    /// with them.
    /// </summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask ClaimDataAsync()
    {
        if (_handle is null || _count == 0 || _file.File.HasInlineData || Mapper.CanBeUnwritten || _handle.ClaimData() is not { } claim)
        {
            return;
        }

        _claim = claim;
        if (_file.AdvanceStoredSize((_first + _count) * _file.PageSize))
        {
            await _file.File.StoreAsync(_handle).ConfigureAwait(false);
        }
    }

    /// <summary>Step 2: locks the first page, and those after it that are free and go together with it.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask LockPagesAsync(int count)
    {
        if (_file.TryPin(_first) is not { } first)
        {
            return;
        }

        await _file.LockAsync(first).ConfigureAwait(false);
        if (!TryAdd(first))
        {
            return;
        }

        while (_count < count && _file.TryPin(_first + _count) is { } page)
        {
            if (!_file.TryLock(page))
            {
                page.Unpin();
                return;
            }

            if (!TryAdd(page))
            {
                return;
            }
        }
    }

    /// <summary>Adds a locked page, or lets go of it: not dirty any more, cut off by a truncate, or not consecutive.</summary>
    private bool TryAdd(CachePage page)
    {
        bool isWanted = _file.IsCached(page) && page.IsDirty && !page.IsUnderWriteback
            && page.Index * _file.PageSize < _file.File.Size && IsConsecutive(page.DirtyBlocks);
        if (!isWanted)
        {
            _file.Unlock(page);
            page.Unpin();
            return false;
        }

        _pages[_count] = page;
        _dirty[_count] = page.DirtyBlocks;
        _count++;
        return true;
    }

    private bool IsConsecutive(uint dirtyBlocks)
    {
        if (_count == 0 || _file.BlocksPerPage == 1)
        {
            return true;
        }

        // The page before must be dirty up to its end and this one from its start; neither may have a gap.
        uint all = uint.MaxValue >> (32 - _file.BlocksPerPage);
        uint before = _dirty[_count - 1];
        uint gapBefore = ~before & all;
        bool isBeforeWhole = (gapBefore & (gapBefore + 1)) == 0 && (before & ~(all >> 1)) != 0;
        return isBeforeWhole && (dirtyBlocks & (dirtyBlocks + 1)) == 0;
    }

    /// <summary>Step 1 or 2 failed: nothing was sent.</summary>
    private BatchStart FailAll(int count, IoFault fault)
    {
        for (int i = 0; i < count; i++)
        {
            if (_file.TryPin(_first + i) is { } page)
            {
                _file.NoteFailed(page);
                page.Unpin();
            }
        }

        _file.Errors.Record(fault);
        return new BatchStart(_first + count, fault);
    }

    private void StopHandle()
    {
        _handle?.Stop();
        _handle = null;
    }

    /// <summary>Lets go of everything without having sent anything.</summary>
    private void Abandon()
    {
        ReleasePages(0);
        Return();
    }

    /// <summary>Unlocks the pages from <paramref name="kept"/> on and forgets them.</summary>
    private void ReleasePages(int kept)
    {
        for (int i = kept; i < _count; i++)
        {
            _file.Unlock(_pages[i]);
            _pages[i].Unpin();
            _pages[i] = null!;
        }

        _count = Math.Min(_count, kept);
    }

    private void NoteFault(IoFault fault) => Interlocked.CompareExchange(ref _fault, (int)fault, (int)IoFault.None);

    private void Return()
    {
        Debug.Assert(_claim is null, "A claim ends with the data, which is on its way as soon as there is one.");
        _reserved?.Cancel();
        _reserved = null;
        (_isLogged, _isInLog, _mayConvert, _keptCredits) = (false, false, false, 0);
        Array.Clear(_pages, 0, _count);
        _runs.Clear();
        _file = null!;
        _count = 0;
        _fault = 0;
        _done = null;
        s_pool.Return(this);
    }
}

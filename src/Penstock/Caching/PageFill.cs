using System.Runtime.CompilerServices;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Caching;

/// <summary>How a fill ended: how many leading pages the caller got, and what stopped it before the first that he did not.</summary>
/// <param name="Kept">The pages that are up to date, pinned, in the caller's list.</param>
/// <param name="Fault">Why the next page is not; None if it merely was not asked for, or is somebody else's to fill.</param>
/// <param name="Failure">The exception of the mapping behind the fault, if it was one.</param>
internal readonly record struct FillOutcome(int Kept, IoFault Fault, FileSystemException? Failure);

/// <summary>
/// Reads consecutive pages of a file from its device: one request for each run of blocks, none for holes and unwritten blocks. Pooled.
/// </summary>
/// <remarks>
/// Rule 2.9: the invalidation lock is held shared from before the mapping is looked up until the pages are filled, and taken before the page
/// locks; so no block can be freed while it is being read into a page. The memory is taken before either lock.
/// </remarks>
internal sealed class PageFill : IDeviceRequestOwner
{
    /// <summary>The most bytes of one fill, and so of one device request.</summary>
    public const int MaxBytes = 1 << 20;

    private const int MaxPages = MaxBytes / 4096;

    private static readonly Pool<PageFill> s_pool = new(() => new PageFill());

    private readonly CachePage[] _pages = new CachePage[MaxPages];
    private readonly bool[] _isFailed = new bool[MaxPages];
    private FilePages _file = null!;
    private long _first;
    private int _count;
    private int _taken;
    private int _outstanding;
    private int _fault;
    private long _size;
    private FileSystemException? _failure;
    private PooledCompletion<bool>? _done;

    private PageFill()
    {
    }

    private int PageSize => _file.PageSize;

    /// <summary>
    /// Fills pages from <paramref name="first"/> on: at most <paramref name="count"/>, up to the first that is cached already. The leading ones, at
    /// most <paramref name="keep"/>, are added to <paramref name="kept"/>, pinned. The caller holds no page, and the invalidation lock in no mode.
    /// </summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<FillOutcome> RunAsync(
        FilePages file, long first, int count, PinnedPages? kept = null, int keep = 0, long marker = -1)
    {
        PageFill fill = s_pool.Rent();
        fill._file = file;
        fill._first = first;
        try
        {
            IoFault fault = await fill.TakeMemoryAsync(count, isPatient: keep > 0).ConfigureAwait(false);
            if (fault != IoFault.None)
            {
                return new FillOutcome(0, fault, null);
            }

            return await fill.RunLockedAsync(kept, keep, marker).ConfigureAwait(false);
        }
        finally
        {
            fill.Return();
        }
    }

    void IDeviceRequestOwner.RequestCompleted(DeviceRequest request, IoResult result)
    {
        if (result.Bytes < request.Length)
        {
            MarkFailed(request.Tag + result.Bytes, request.Tag + request.Length, result.IsFailed ? result.Fault : IoFault.DeviceFailed);
        }

        request.Return();
        PartCompleted();
    }

    private async ValueTask<IoFault> TakeMemoryAsync(int count, bool isPatient)
    {
        PageCache cache = _file.File.PageCache;
        count = Math.Clamp(count, 1, MaxBytes / PageSize);
        if (isPatient)
        {
            // Cache invariant 2: only the first page is waited for, while nothing is held.
            PageGrant grant = await cache.TakeAsync(PageSize).ConfigureAwait(false);
            if (grant.Page is null)
            {
                return grant.Fault;
            }

            _pages[_taken++] = grant.Page;
        }

        while (_taken < count && cache.TryTake(PageSize) is { } page)
        {
            _pages[_taken++] = page;
        }

        return IoFault.None;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<FillOutcome> RunLockedAsync(PinnedPages? kept, int keep, long marker)
    {
        bool sharesLock = !_file.File.Scheduler.IsBroken(Rule.FillSharesInvalidationLock);
        if (sharesLock)
        {
            await _file.File.Invalidation.AcquireSharedAsync().ConfigureAwait(false);
        }

        try
        {
            // Before the device is read: bytes that are beyond the size now are not content, whoever publishes a larger size meanwhile.
            _size = _file.File.Size;
            while (_count < _taken && _file.TryInsertLocked(_first + _count, _pages[_count]))
            {
                _pages[_count].IsReadaheadMarker = _first + _count == marker;
                _count++;
            }

            if (_count > 0)
            {
                await ReadAsync().ConfigureAwait(false);
            }

            return Finish(kept, keep);
        }
        finally
        {
            if (sharesLock)
            {
                _file.File.Invalidation.ReleaseShared();
            }
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private async ValueTask ReadAsync()
    {
        if (_file.File.HasInlineData)
        {
            ReadInline();
            return;
        }

        _done = PooledCompletion<bool>.Rent(_file.File.Scheduler);
        ValueTask<bool> done = _done.Task;
        _outstanding = 1;
        long position = _first * PageSize;
        long end = position + ((long)_count * PageSize);
        try
        {
            while (position < end)
            {
                BlockRun run = await MapAsync(position, end).ConfigureAwait(false);
                long runEnd = Math.Min(end, (long)run.End.Value * _file.File.BlockSize);
                if (run.State == MapState.Mapped && _file.File.JournalsData)
                {
                    FillFromLog(run, position, runEnd);
                }
                else
                {
                    Fill(run, position, runEnd);
                }

                position = runEnd;
            }
        }
        catch (FileSystemException e)
        {
            _failure = e;
            MarkFailed(position, end, e.Fault);
        }

        _file.File.Device.FlushSubmissions();
        PartCompleted();
        await done.ConfigureAwait(false);
    }

    private void ReadInline()
    {
        try
        {
            for (int i = 0; i < _count; i++)
            {
                Span<byte> bytes = _pages[i].Memory.Bytes;
                bytes.Clear();
                if (_first + i == 0)
                {
                    _file.File.ReadInline(bytes);
                }
            }
        }
        catch (FileSystemException e)
        {
            _failure = e;
            MarkFailed(_first * PageSize, (_first + _count) * PageSize, e.Fault);
        }
    }

    private ValueTask<BlockRun> MapAsync(long position, long end)
    {
        int blockSize = _file.File.BlockSize;
        BlockMapper mapper = _file.File.Mapper!;
        var first = new FileBlock((ulong)(position / blockSize));
        ulong count = (ulong)((end - position) / blockSize);
        return mapper.TryMap(first, count, out BlockRun run) ? new ValueTask<BlockRun>(run) : mapper.MapAsync(first, count);
    }

    /// <summary>As <see cref="Fill"/>, but blocks that are not in their places yet come from the journal's cache. Nobody changes them: their pages are locked here.</summary>
    private void FillFromLog(in BlockRun run, long position, long end)
    {
        int blockSize = _file.File.BlockSize;
        MetadataCache cache = _file.File.Journal.Cache;
        for (long next = position; next < end; next += blockSize)
        {
            long inFill = next - (_first * PageSize);
            IoSegment piece = _pages[inFill / PageSize].Memory.Slice((int)(inFill % PageSize), blockSize);
            VolumeBlock block = run.Volume + ((ulong)(next / blockSize) - run.First.Value);
            if (cache.TryCopyUnplaced(block, piece.Bytes))
            {
                FillIfAny(run, position, next);
                position = next + blockSize;
            }
        }

        FillIfAny(run, position, end);
    }

    private void FillIfAny(in BlockRun run, long position, long end)
    {
        if (position < end)
        {
            Fill(run, position, end);
        }
    }

    /// <summary>Fills the bytes from <paramref name="position"/> to <paramref name="end"/>, which lie in one run.</summary>
    private void Fill(in BlockRun run, long position, long end)
    {
        int blockSize = _file.File.BlockSize;
        bool isOnDevice = run.State == MapState.Mapped;
        DeviceRequest? request = null;
        if (isOnDevice)
        {
            long within = position - ((long)run.First.Value * blockSize);
            request = DeviceRequest.Rent(DeviceOperation.Read, ((long)run.Volume.Value * blockSize) + within);
            request.SetOwner(this);
            request.Tag = position;
        }

        while (position < end)
        {
            long inFill = position - (_first * PageSize);
            int offset = (int)(inFill % PageSize);
            int length = (int)Math.Min(PageSize - offset, end - position);
            IoSegment piece = _pages[inFill / PageSize].Memory.Slice(offset, length);
            if (request is null)
            {
                piece.Bytes.Clear();
            }
            else
            {
                request.Append(piece);
            }

            position += length;
        }

        if (request is not null)
        {
            Interlocked.Increment(ref _outstanding);
            _file.File.Device.Submit(request);
        }
    }

    private void MarkFailed(long position, long end, IoFault fault)
    {
        Interlocked.CompareExchange(ref _fault, (int)fault, (int)IoFault.None);
        long start = _first * PageSize;
        for (long i = (position - start) / PageSize; i <= (end - 1 - start) / PageSize; i++)
        {
            _isFailed[i] = true;
        }
    }

    private void PartCompleted()
    {
        if (Interlocked.Decrement(ref _outstanding) == 0)
        {
            // A core place, and no latch is held.
            _done!.Complete(true);
        }
    }

    /// <summary>Zeroes what lies beyond the end of the file, unlocks the pages, and hands over the leading ones.</summary>
    private FillOutcome Finish(PinnedPages? kept, int keep)
    {
        int given = 0;
        bool isUnbroken = true;
        for (int i = 0; i < _count; i++)
        {
            CachePage page = _pages[i];
            bool isUpToDate = !_isFailed[i];
            if (isUpToDate)
            {
                int valid = (int)Math.Clamp(_size - ((_first + i) * PageSize), 0, PageSize);
                page.Memory.Slice(valid, PageSize - valid).Bytes.Clear();
            }

            isUnbroken &= isUpToDate;
            _file.EndFill(page, isUpToDate);
            if (isUnbroken && given < keep)
            {
                kept!.Add(page);
                _pages[i] = null!;
                given++;
            }
        }

        IoFault fault = given < Math.Min(keep, _count) ? (IoFault)_fault : IoFault.None;
        return new FillOutcome(given, fault, fault == IoFault.None ? null : _failure);
    }

    private void Return()
    {
        for (int i = 0; i < _taken; i++)
        {
            _pages[i]?.Unpin();
            _pages[i] = null!;
            _isFailed[i] = false;
        }

        _file = null!;
        _count = 0;
        _taken = 0;
        _fault = 0;
        _failure = null;
        _done = null;
        s_pool.Return(this);
    }
}

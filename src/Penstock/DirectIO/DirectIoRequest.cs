using System.Threading.Tasks.Sources;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.DirectIO;

/// <summary>
/// One direct read or write while its parts are on the device: counts them, and knows how many bytes were transferred without a gap. Pooled.
/// What follows the last completion (Rule 2.5) is the code after the await of <see cref="Completion"/>: it runs in the completion's context,
/// by whoever completes the last part (Rule 1.5).
/// </summary>
/// <remarks>
/// Invariants: (1) the outstanding count starts at one, the submitter's own, so the request cannot complete before its last submission, and
/// nothing of it is touched by the submitter after <see cref="EndSubmission"/> (Rule 1.10); (2) every part lowers the count exactly once;
/// (3) the result counts bytes from the start of the request up to the first byte that failed (invariant 3.12).
/// </remarks>
internal sealed class DirectIoRequest : IDeviceRequestOwner, IValueTaskSource<IoResult>
{
    /// <summary>The largest single request to a device, in bytes.</summary>
    public const int MaxPartLength = 4 << 20;

    private static readonly Pool<DirectIoRequest> s_pool = new(() => new DirectIoRequest(), capacity: 1024);

    private readonly object _latch = new();
    private readonly List<(long Start, long Length)> _zeroRanges = [];
    private readonly List<BlockRun> _unwrittenRuns = [];
    private CompletionCore<IoResult> _core;
    private BlockDevice? _device;
    private SegmentList? _memory;
    private DeviceOperation _operation;
    private long _submitted;
    private int _outstanding;
    private long _failedAt;
    private IoFault _fault;

    private DirectIoRequest()
    {
    }

    /// <summary>A task for the completion of all parts; its continuation runs where the last part completes.</summary>
    public ValueTask<IoResult> Completion => new(this, _core.Version);

    /// <summary>Ranges of a read, relative to its start, that have no written blocks: the memory is zeroed there, in a user place.</summary>
    public List<(long Start, long Length)> ZeroRanges => _zeroRanges;

    /// <summary>Runs that are to be converted once their data has landed (Rule 2.17).</summary>
    public List<BlockRun> UnwrittenRuns => _unwrittenRuns;

    /// <summary>Bytes handed to the device or found to be zeros so far, from the start, without a gap.</summary>
    public long Submitted => _submitted;

    public static DirectIoRequest Rent(BlockDevice device, DeviceOperation operation, SegmentList memory)
    {
        DirectIoRequest request = s_pool.Rent();
        request._device = device;
        request._operation = operation;
        request._memory = memory;
        request._submitted = 0;
        request._outstanding = device.Scheduler.IsBroken(Rule.CompletesAfterSubmission) ? 0 : 1;
        request._failedAt = long.MaxValue;
        request._fault = IoFault.None;
        return request;
    }

    /// <summary>The next <paramref name="length"/> bytes of a read are zeros.</summary>
    public void AddZeros(long length)
    {
        if (_zeroRanges.Count > 0 && _zeroRanges[^1] is var last && last.Start + last.Length == _submitted)
        {
            _zeroRanges[^1] = (last.Start, last.Length + length);
        }
        else
        {
            _zeroRanges.Add((_submitted, length));
        }

        _submitted += length;
    }

    /// <summary>The run gets its first data by this request.</summary>
    public void AddUnwritten(in BlockRun run)
    {
        if (_unwrittenRuns.Count > 0 && _unwrittenRuns[^1] is var last && last.End == run.First)
        {
            _unwrittenRuns[^1] = last with { Count = last.Count + run.Count };
        }
        else
        {
            _unwrittenRuns.Add(run);
        }
    }

    /// <summary>
    /// Submits the next <paramref name="length"/> bytes for <paramref name="deviceOffset"/>, framed by zeros where a new block is not
    /// covered: <paramref name="head"/> bytes before and <paramref name="tail"/> after (Rule 2.10).
    /// </summary>
    public void Submit(long deviceOffset, long length, int head = 0, int tail = 0)
    {
        var cursor = new SegmentCursor(_memory!, _submitted);
        while (length > 0)
        {
            long part = Math.Min(length, MaxPartLength);
            DeviceRequest request = DeviceRequest.Rent(_operation, deviceOffset - head);
            request.SetOwner(this);
            request.Tag = _submitted;
            if (head > 0)
            {
                request.Append(ZeroMemory.Segment(head));
            }

            for (long left = part; left > 0;)
            {
                IoSegment piece = cursor.Next((int)left);
                request.Append(piece);
                left -= piece.Length;
            }

            if (tail > 0 && part == length)
            {
                request.Append(ZeroMemory.Segment(tail));
            }

            Interlocked.Increment(ref _outstanding);
            _submitted += part;
            deviceOffset += part;
            length -= part;
            head = 0;
            _device!.Submit(request);
        }
    }

    /// <summary>The submitter stops where submitting fails for a fault of its own (mapping, space), which is handed back; what is on the device goes on.</summary>
    public async ValueTask<FileSystemException?> NoteFailureAsync(ValueTask submitting)
    {
        try
        {
            await submitting.ConfigureAwait(false);
            return null;
        }
        catch (FileSystemException e)
        {
            NoteFailure(_submitted, e.Fault);
            return e;
        }
    }

    /// <summary>Nothing more will be submitted. From here on only <see cref="Completion"/> may be touched.</summary>
    public void EndSubmission()
    {
        BlockDevice device = _device!;
        if (device.Scheduler.IsBroken(Rule.CompletesAfterSubmission))
        {
            CompleteIfEmpty();
        }
        else
        {
            LowerCount();
        }

        device.FlushSubmissions();
    }

    public void RequestCompleted(DeviceRequest request, IoResult result)
    {
        if (result.IsFailed)
        {
            // Zeros before the data are no bytes of the caller's.
            NoteFailure(request.Tag + Math.Max(0, result.Bytes - HeadOf(request)), result.Fault);
        }

        request.Return();
        LowerCount();
    }

    /// <summary>Returns the request to the pool, once its result and lists have been used.</summary>
    public void Return()
    {
        _zeroRanges.Clear();
        _unwrittenRuns.Clear();
        _device = null;
        _memory = null;
        _core.Reset();
        s_pool.Return(this);
    }

    IoResult IValueTaskSource<IoResult>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<IoResult>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<IoResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        Scheduler scheduler = _device!.Scheduler;
        if (!_core.TryAwait(continuation, state, token))
        {
            scheduler.Post(continuation, state);
        }
    }

    private static long HeadOf(DeviceRequest request) =>
        request.Segments[0].Address == ZeroMemory.Segment(1).Address ? request.Segments[0].Length : 0;

    private void NoteFailure(long at, IoFault fault)
    {
        lock (_latch)
        {
            if (at < _failedAt)
            {
                _failedAt = at;
                _fault = fault;
            }
        }
    }

    private void LowerCount()
    {
        int left = Interlocked.Decrement(ref _outstanding);
        if (left < 0)
        {
            throw new InvalidOperationException("A part of a direct request completed twice.");
        }

        if (left == 0)
        {
            Complete();
        }
    }

    private void Complete() => _core.SetResult(_fault == IoFault.None
        ? IoResult.Transferred(_submitted)
        : new IoResult(Math.Min(_failedAt, _submitted), _fault));

    /// <summary>Completes a request without parts on the device, in a build where the submitter counts for none.</summary>
    private void CompleteIfEmpty()
    {
        if (_outstanding == 0 && _core.GetStatus(_core.Version) == ValueTaskSourceStatus.Pending)
        {
            Complete();
        }
    }
}

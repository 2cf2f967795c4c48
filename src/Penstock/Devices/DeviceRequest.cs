using System.Diagnostics;
using System.Threading.Tasks.Sources;
using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Devices;

/// <summary>
/// One request to a <see cref="BlockDevice"/>, pooled. Either an owner is told of its completion, or it is awaited as a
/// value task; in both cases in a core place, inline with the reaping of the device, so what follows must not block or touch user memory.
/// </summary>
/// <remarks>
/// States: idle (in the pool, or being filled by its renter) → submitted (owned by the device; memory pinned, fields untouched) →
/// completed (owned by the renter again, who returns it). The device moves submitted to completed exactly once, never inside Submit.
/// </remarks>
internal sealed class DeviceRequest : IValueTaskSource<IoResult>
{
    private static readonly Pool<DeviceRequest> s_pool = new(() => new DeviceRequest(), capacity: 1024);

    private IoSegment[] _segments = new IoSegment[8];
    private int _segmentCount;
    private CompletionCore<IoResult> _core;
    private IDeviceRequestOwner? _owner;
    private int _isSubmitted;

    private DeviceRequest()
    {
    }

    public DeviceOperation Operation { get; private set; }

    /// <summary>Where the transfer starts on the device, in bytes.</summary>
    public long Offset { get; private set; }

    /// <summary>The length of the range in bytes; for transfers, the sum of the segments.</summary>
    public long Length { get; private set; }

    /// <summary>The memory of a transfer; empty for the other operations.</summary>
    public ReadOnlySpan<IoSegment> Segments => _segments.AsSpan(0, _segmentCount);

    /// <summary>For the owner's use: which part of its work this request is.</summary>
    public long Tag { get; set; }

    /// <summary>For the device's use while it owns the request: how many bytes an earlier, short step transferred.</summary>
    public long Progress { get; set; }

    /// <summary>The device that the request was last submitted to.</summary>
    public BlockDevice? Device { get; private set; }

    /// <summary>For the device's use while it owns the request: the next one in its queue.</summary>
    public DeviceRequest? Link { get; set; }

    /// <summary>For the owner's use: whatever this request was made for.</summary>
    public object? Companion { get; set; }

    /// <summary>Who is told of the completion; null where it is awaited.</summary>
    public IDeviceRequestOwner? Owner => _owner;

    public bool IsTransfer => Operation is DeviceOperation.Read or DeviceOperation.Write or DeviceOperation.WriteThrough;

    public bool IsWrite => Operation is not (DeviceOperation.Read or DeviceOperation.Flush or DeviceOperation.None);

    public static DeviceRequest Rent(DeviceOperation operation, long offset, long length = 0)
    {
        DeviceRequest request = s_pool.Rent();
        request.Operation = operation;
        request.Offset = offset;
        request.Length = length;
        return request;
    }

    /// <summary>Appends memory to a transfer that is being filled.</summary>
    public void Append(IoSegment segment)
    {
        Debug.Assert(_isSubmitted == 0, "A submitted request belongs to the device.");
        if (_segmentCount > 0 && _segments[_segmentCount - 1] is var last && last.Address + last.Length == segment.Address
            && (long)last.Length + segment.Length <= int.MaxValue)
        {
            _segments[_segmentCount - 1] = new IoSegment(last.Address, last.Length + segment.Length);
        }
        else
        {
            if (_segmentCount == _segments.Length)
            {
                Array.Resize(ref _segments, _segmentCount * 2);
            }

            _segments[_segmentCount++] = segment;
        }

        Length += segment.Length;
    }

    public void Append(ReadOnlySpan<IoSegment> segments)
    {
        foreach (IoSegment segment in segments)
        {
            Append(segment);
        }
    }

    /// <summary>The owner is told of the completion, and returns the request.</summary>
    public void SetOwner(IDeviceRequestOwner owner) => _owner = owner;

    /// <summary>A task for the completion of a request without an owner; the request goes back to its pool when the result is taken.</summary>
    public ValueTask<IoResult> AsTask() => new(this, _core.Version);

    /// <summary>Called by the base class of devices as the request is submitted.</summary>
    public void MarkSubmitted(BlockDevice device)
    {
        if (Interlocked.Exchange(ref _isSubmitted, 1) != 0)
        {
            throw new InvalidOperationException("The request is submitted already.");
        }

        Device = device;
        Progress = 0;
        Link = null;
    }

    /// <summary>
    /// Called by the device, in a core place, exactly once and never inside its Submit. A transfer that is short carries the fault that
    /// stopped it: devices continue short steps themselves.
    /// </summary>
    public void Complete(IoResult result)
    {
        if (Interlocked.Exchange(ref _isSubmitted, 0) != 1)
        {
            throw new InvalidOperationException("The request is completed already, or was never submitted.");
        }

        IDeviceRequestOwner? owner = _owner;
        if (owner is not null)
        {
            owner.RequestCompleted(this, result);
        }
        else
        {
            _core.SetResult(result);
        }
    }

    /// <summary>Returns a completed request to the pool.</summary>
    public void Return()
    {
        Debug.Assert(_isSubmitted == 0, "A submitted request belongs to the device.");
        Operation = DeviceOperation.None;
        Device = null;
        Companion = null;
        _owner = null;
        Tag = 0;
        Length = 0;
        _segments.AsSpan(0, _segmentCount).Clear();
        _segmentCount = 0;
        s_pool.Return(this);
    }

    IoResult IValueTaskSource<IoResult>.GetResult(short token)
    {
        IoResult result = _core.GetResult(token);
        _core.Reset();
        Return();
        return result;
    }

    ValueTaskSourceStatus IValueTaskSource<IoResult>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<IoResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        Scheduler scheduler = Device!.Scheduler;
        if (!_core.TryAwait(continuation, state, token))
        {
            scheduler.Post(continuation, state);
        }
    }
}

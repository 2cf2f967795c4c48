using Penstock.Devices;

namespace Penstock.Testing.Devices;

/// <summary>What is to happen to a request instead of its success.</summary>
/// <param name="Fault">The fault that it completes with.</param>
/// <param name="Bytes">How many bytes are transferred before that.</param>
/// <param name="IsStalled">Whether it first waits until <see cref="FaultyDevice.Release"/>.</param>
internal readonly record struct Misfortune(IoFault Fault, long Bytes = 0, bool IsStalled = false);

/// <summary>A wrapper that lets errors, short transfers and stalls happen to any device, by a rule that the test supplies.</summary>
internal sealed class FaultyDevice(BlockDevice inner) : ForwardingDevice(inner.Name, inner)
{
    private readonly object _stallLatch = new();
    private readonly List<(DeviceRequest Request, Misfortune What)> _stalled = [];
    private readonly FlushLatch _latch = new();

    /// <summary>Asked for each request as it is submitted; null lets it through.</summary>
    public Func<DeviceRequest, Misfortune?>? Rule { get; set; }

    public override string Description => $"faulty; {Inner.Description}";

    /// <summary>How many requests are held back.</summary>
    public int StalledCount
    {
        get
        {
            lock (_stallLatch)
            {
                return _stalled.Count;
            }
        }
    }

    /// <summary>Lets everything go on that is held back.</summary>
    public void Release()
    {
        (DeviceRequest Request, Misfortune What)[] released;
        lock (_stallLatch)
        {
            released = [.. _stalled];
            _stalled.Clear();
        }

        foreach ((DeviceRequest request, Misfortune what) in released)
        {
            Proceed(request, what);
        }
    }

    protected override void SubmitChecked(DeviceRequest request)
    {
        Misfortune what = Rule?.Invoke(request) ?? default;
        if (!what.IsStalled)
        {
            Proceed(request, what);
            return;
        }

        lock (_stallLatch)
        {
            _stalled.Add((request, what));
        }
    }

    protected override void InnerCompleted(DeviceRequest request, IoResult result)
    {
        var planned = (IoFault)request.Progress;
        IoFault fault = result.IsFailed ? result.Fault : planned;
        request.Complete(request.Operation == DeviceOperation.Flush ? _latch.Judge(fault) : new IoResult(result.Bytes, fault));
    }

    private void Proceed(DeviceRequest request, Misfortune what)
    {
        request.Progress = (long)what.Fault;
        if (what.Fault == IoFault.None)
        {
            Forward(request, shift: 0);
        }
        else
        {
            Forward(request, shift: 0, request.IsTransfer ? what.Bytes : request.Length);
        }
    }
}

using Penstock.Execution;

namespace Penstock.Devices;

/// <summary>
/// A few threads that carry out requests by calls that block: for hosts and operations that have nothing better. A request is completed by
/// the thread that carried it out.
/// </summary>
internal sealed class BlockingLane
{
    private readonly object _latch = new();
    private readonly Rings.RequestQueue _queue = new();
    private readonly Scheduler _scheduler;
    private readonly string _name;
    private readonly int _most;
    private readonly Func<DeviceRequest, IoResult> _perform;
    private readonly DrainGate _gate;
    private int _threads;
    private int _idle;
    private bool _isStopping;

    /// <summary>Threads start as they are needed, up to <paramref name="most"/>. Each completed request leaves <paramref name="gate"/>.</summary>
    public BlockingLane(Scheduler scheduler, string name, int most, Func<DeviceRequest, IoResult> perform, DrainGate gate)
    {
        _scheduler = scheduler;
        _name = name;
        _most = most;
        _perform = perform;
        _gate = gate;
    }

    public void Submit(DeviceRequest request)
    {
        bool isThreadNeeded;
        lock (_latch)
        {
            _queue.Enqueue(request);
            isThreadNeeded = _idle == 0 && _threads < _most;
            if (isThreadNeeded)
            {
                _threads++;
            }
            else
            {
                Monitor.Pulse(_latch);
            }
        }

        if (isThreadNeeded)
        {
            _scheduler.StartReaper(_name, Run);
        }
    }

    /// <summary>Ends the threads once the queue is empty.</summary>
    public void Stop()
    {
        lock (_latch)
        {
            _isStopping = true;
            Monitor.PulseAll(_latch);
        }
    }

    private void Run()
    {
        while (TryTake(out DeviceRequest? request))
        {
            IoResult result = _perform(request!);
            request!.Complete(result);
            _gate.Exit();
        }
    }

    private bool TryTake(out DeviceRequest? request)
    {
        lock (_latch)
        {
            while ((request = _queue.Dequeue()) is null && !_isStopping)
            {
                _idle++;
                Monitor.Wait(_latch);
                _idle--;
            }

            return request is not null;
        }
    }
}

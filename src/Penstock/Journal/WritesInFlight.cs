using System.Runtime.CompilerServices;
using Penstock.Devices;
using Penstock.Execution;

namespace Penstock.Journal;

/// <summary>
/// A bounded number of slots whose memory is being written, each by one request or several, and what became of them. One activity takes slots and waits; requests
/// complete on any thread.
/// </summary>
internal sealed class WritesInFlight
{
    private readonly object _latch = new();
    private readonly BlockDevice _device;
    private readonly int[] _requests;
    private readonly Stack<int> _idle;
    private PooledCompletion<bool>? _waiter;
    private StoreOutcome _outcome;

    public WritesInFlight(BlockDevice device, int slots)
    {
        _device = device;
        _requests = new int[slots];
        _idle = new Stack<int>(slots);
        for (int slot = slots - 1; slot >= 0; slot--)
        {
            _idle.Push(slot);
        }
    }

    /// <summary>All that has failed since <see cref="Begin"/>, as far as it is known.</summary>
    public StoreOutcome Outcome
    {
        get
        {
            lock (_latch)
            {
                return _outcome;
            }
        }
    }

    /// <summary>Whether nothing is in flight.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_latch)
            {
                return _idle.Count == _requests.Length;
            }
        }
    }

    /// <summary>Forgets what became of earlier writes. None is in flight.</summary>
    public void Begin()
    {
        lock (_latch)
        {
            _outcome = default;
        }
    }

    /// <summary>Waits for an idle slot and takes it.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public async ValueTask<int> TakeAsync()
    {
        while (true)
        {
            PooledCompletion<bool> waiter;
            lock (_latch)
            {
                if (_idle.TryPop(out int slot))
                {
                    return slot;
                }

                waiter = _waiter = PooledCompletion<bool>.Rent(_device.Scheduler);
            }

            _device.FlushSubmissions();
            await waiter.Task.ConfigureAwait(false);
        }
    }

    /// <summary>How many requests of a slot that was taken are about to be submitted.</summary>
    public void Expect(int slot, int requests)
    {
        lock (_latch)
        {
            _requests[slot] = requests;
        }
    }

    /// <summary>One of them has completed. With the last the slot is idle again.</summary>
    public void Completed(int slot, StoreOutcome outcome)
    {
        PooledCompletion<bool>? waiter = null;
        lock (_latch)
        {
            _outcome = _outcome.And(outcome);
            if (--_requests[slot] == 0)
            {
                _idle.Push(slot);
                (waiter, _waiter) = (_waiter, null);
            }
        }

        waiter?.Complete(true);
    }

    /// <summary>Waits until every slot is idle.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    public async ValueTask DrainAsync()
    {
        while (true)
        {
            PooledCompletion<bool> waiter;
            lock (_latch)
            {
                if (_idle.Count == _requests.Length)
                {
                    return;
                }

                waiter = _waiter = PooledCompletion<bool>.Rent(_device.Scheduler);
            }

            _device.FlushSubmissions();
            await waiter.Task.ConfigureAwait(false);
        }
    }
}

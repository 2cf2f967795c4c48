using Penstock.Execution;

namespace Penstock.Caching;

/// <summary>
/// Those who wait for the cache to have room (for a page, or for dirty data). Woken, they look again; woken with a fault, nothing can be had
/// until something outside changes, and they give up.
/// </summary>
/// <remarks>
/// No wake is lost: a waiter announces himself, looks, and waits only if nothing has happened since he announced himself. While nobody has
/// announced himself, an event costs one read.
/// </remarks>
internal sealed class WaitList(Scheduler scheduler)
{
    private readonly Queue<PooledCompletion<IoFault>> _waiters = new();
    private long _events;
    private int _announced;

    /// <summary>Whether somebody waits or is about to.</summary>
    public bool IsWanted => Volatile.Read(ref _announced) != 0;

    /// <summary>Before looking: the point in time for <see cref="WaitAsync"/>. Ended by <see cref="Withdraw"/>.</summary>
    public long Announce()
    {
        Interlocked.Increment(ref _announced);
        return Volatile.Read(ref _events);
    }

    public void Withdraw() => Interlocked.Decrement(ref _announced);

    /// <summary>Waits for the next event; not at all if there was one since <paramref name="announced"/>.</summary>
    public ValueTask<IoFault> WaitAsync(long announced)
    {
        lock (_waiters)
        {
            if (_events != announced)
            {
                return new ValueTask<IoFault>(IoFault.None);
            }

            var waiter = PooledCompletion<IoFault>.Rent(scheduler);
            _waiters.Enqueue(waiter);
            return waiter.Task;
        }
    }

    /// <summary>An event that serves one.</summary>
    public void WakeOne()
    {
        if (!IsWanted)
        {
            return;
        }

        PooledCompletion<IoFault>? waiter;
        lock (_waiters)
        {
            _events++;
            _waiters.TryDequeue(out waiter);
        }

        waiter?.Complete(IoFault.None);
    }

    /// <summary>An event for all who wait.</summary>
    public void WakeAll(IoFault fault)
    {
        lock (_waiters)
        {
            _events++;
            while (_waiters.TryDequeue(out PooledCompletion<IoFault>? waiter))
            {
                waiter.Complete(fault);
            }
        }
    }
}

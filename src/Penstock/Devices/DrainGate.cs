using System.Runtime.CompilerServices;
using Penstock.Execution;

namespace Penstock.Devices;

/// <summary>Counts the requests that a device owns, so that closing it can turn newcomers away and wait for the rest.</summary>
internal sealed class DrainGate(Scheduler scheduler)
{
    private const long Closed = 1L << 62;

    private long _state;
    private PooledCompletion<bool>? _drained;

    /// <summary>How many requests are inside.</summary>
    public long Count => Volatile.Read(ref _state) & ~Closed;

    /// <summary>Counts a request in; false once the gate is closed.</summary>
    public bool TryEnter()
    {
        if ((Interlocked.Increment(ref _state) & Closed) == 0)
        {
            return true;
        }

        Exit();
        return false;
    }

    /// <summary>Counts a request out.</summary>
    public void Exit()
    {
        if (Interlocked.Decrement(ref _state) == Closed)
        {
            // A newcomer that is turned away may pass zero once more: the completion is taken by one of them alone.
            Interlocked.Exchange(ref _drained, null)?.Complete(true);
        }
    }

    /// <summary>Closes the gate and waits until it is empty; false if somebody closed it before.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public async ValueTask<bool> CloseAsync()
    {
        PooledCompletion<bool> drained = PooledCompletion<bool>.Rent(scheduler);
        ValueTask<bool> task = drained.Task;
        if (Interlocked.CompareExchange(ref _drained, drained, null) is not null || !TryClose())
        {
            return false;
        }

        return await task.ConfigureAwait(false);
    }

    private bool TryClose()
    {
        // Closing holds one count of its own until the flag is seen, so that exactly one Exit meets the bare flag.
        Interlocked.Increment(ref _state);
        bool wasOpen = (Interlocked.Or(ref _state, Closed) & Closed) == 0;
        Exit();
        return wasOpen;
    }
}

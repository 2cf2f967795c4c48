using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Penstock.Execution;

/// <summary>
/// An event that many await and that happens once, well or badly. Use this where several wait for one thing: a <see cref="Task"/> with
/// more than one awaiter resumes all but the first on the runtime's pool, outside the <see cref="Scheduler"/>.
/// </summary>
internal sealed class SharedEvent(Scheduler scheduler)
{
    private readonly List<PooledCompletion<Exception?>> _waiters = [];
    private Exception? _failure;
    private bool _hasHappened;

    /// <summary>Waits for the event; at once if it has happened. Each waiter meets the exception that it failed with.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    public async ValueTask WaitAsync()
    {
        PooledCompletion<Exception?>? waiter = null;
        lock (_waiters)
        {
            if (!_hasHappened)
            {
                waiter = PooledCompletion<Exception?>.Rent(scheduler);
                _waiters.Add(waiter);
            }
        }

        Exception? failure = waiter is null ? _failure : await waiter.Task.ConfigureAwait(false);
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>It has happened; once.</summary>
    public void Set(Exception? failure = null)
    {
        lock (_waiters)
        {
            if (_hasHappened)
            {
                throw new InvalidOperationException("A shared event happens once.");
            }

            _failure = failure;
            _hasHappened = true;
            foreach (PooledCompletion<Exception?> waiter in _waiters)
            {
                waiter.Complete(failure);
            }

            _waiters.Clear();
        }
    }
}

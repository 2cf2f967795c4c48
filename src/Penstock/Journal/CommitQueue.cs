using Penstock.Execution;

namespace Penstock.Journal;

/// <summary>Who waits for which transaction, and whether another commit is wanted: group commit. Guarded by the journal's latch.</summary>
internal sealed class CommitQueue(Scheduler scheduler)
{
    private readonly List<(TransactionId Transaction, PooledCompletion<StoreOutcome> Waiter)> _waiters = [];
    private TransactionId _wanted;
    private TransactionId? _inProgress;
    private PooledCompletion<bool>? _idle;
    private bool _isActive;

    /// <summary>The last transaction that is on stable storage, with all before it.</summary>
    public TransactionId Committed { get; private set; }

    /// <summary>Whether a transaction is between its closing and the end of its commit.</summary>
    public bool IsInProgress => _inProgress is not null;

    /// <summary>Waits for the end of the commit that brings <paramref name="transaction"/> to the device, or fails to.</summary>
    public PooledCompletion<StoreOutcome> Wait(TransactionId transaction)
    {
        var waiter = PooledCompletion<StoreOutcome>.Rent(scheduler);
        _waiters.Add((transaction, waiter));
        return waiter;
    }

    /// <summary>
    /// Sees to it that <paramref name="transaction"/> is committed: by the commit in progress, or by one of all that is running.
    /// Whether the activity that commits has to be started.
    /// </summary>
    public bool Want(TransactionId transaction, TransactionId running)
    {
        if (_inProgress is { } current && transaction <= current)
        {
            return false;
        }

        _wanted = running;
        return Wake();
    }

    /// <summary>There is other work than commits for the activity: whether it has to be started.</summary>
    public bool Wake()
    {
        bool mustStart = !_isActive;
        _isActive = true;
        return mustStart;
    }

    /// <summary>Begins the commit of <paramref name="running"/> if it is wanted.</summary>
    public bool TryBegin(TransactionId running)
    {
        if (_wanted < running)
        {
            return false;
        }

        _inProgress = running;
        return true;
    }

    /// <summary>There is nothing to do: the activity ends.</summary>
    public void Rest()
    {
        _isActive = false;
        _idle?.Complete(true);
        _idle = null;
    }

    public void End(TransactionId transaction, StoreOutcome outcome)
    {
        _inProgress = null;
        if (!outcome.IsFailed)
        {
            Committed = transaction;
        }

        for (int i = _waiters.Count - 1; i >= 0; i--)
        {
            if (_waiters[i].Transaction <= transaction)
            {
                _waiters[i].Waiter.Complete(outcome);
                _waiters.RemoveAt(i);
            }
        }
    }

    public void FailAll(StoreOutcome outcome)
    {
        foreach ((_, PooledCompletion<StoreOutcome> waiter) in _waiters)
        {
            waiter.Complete(outcome);
        }

        _waiters.Clear();
    }

    /// <summary>Waits until the activity that commits has ended. One waiter.</summary>
    public ValueTask WhenIdle()
    {
        if (!_isActive)
        {
            return ValueTask.CompletedTask;
        }

        _idle = PooledCompletion<bool>.Rent(scheduler);
        return _idle.TaskWithoutResult;
    }
}

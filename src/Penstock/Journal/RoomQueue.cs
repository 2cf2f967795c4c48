using Penstock.Execution;

namespace Penstock.Journal;

/// <summary>
/// The room for changes: blocks that cannot leave the memory (dirty, being written, or in the log only), and credits promised to open handles, stay
/// under a limit. Guarded by the journal's latch.
/// </summary>
/// <param name="cache">The blocks.</param>
/// <param name="limit">How many of them.</param>
/// <param name="fitsLog">Whether so many credits fit the log besides what is dirty or promised already.</param>
internal sealed class RoomQueue(VolumeMetadataCache cache, int limit, Func<int, int, bool> fitsLog)
{
    private readonly Queue<(int Credits, PooledCompletion<IoFault> Waiter)> _waiters = new();
    private int _promised;
    private bool _isHeld;

    public bool HasWaiters => _waiters.Count > 0;

    /// <summary>Nobody gets room until <see cref="Release"/>.</summary>
    public void Hold() => _isHeld = true;

    public void Release()
    {
        _isHeld = false;
        Grant();
    }

    /// <summary>Takes the credits if there is room and nobody waits.</summary>
    public bool TryTake(int credits)
    {
        if (HasWaiters || !Fits(credits))
        {
            return false;
        }

        Interlocked.Add(ref _promised, credits);
        return true;
    }

    /// <summary>Waits for the credits; told None when they are taken.</summary>
    public PooledCompletion<IoFault> Wait(Scheduler scheduler, int credits)
    {
        var waiter = PooledCompletion<IoFault>.Rent(scheduler);
        _waiters.Enqueue((credits, waiter));
        return waiter;
    }

    /// <summary>A promised credit became a dirty block, and is counted as one. Any thread, without the latch.</summary>
    public void Spent() => Interlocked.Decrement(ref _promised);

    public void GiveBack(int credits)
    {
        Interlocked.Add(ref _promised, -credits);
        Grant();
    }

    /// <summary>Lets in who fits, first come, first served.</summary>
    public void Grant()
    {
        while (_waiters.TryPeek(out (int Credits, PooledCompletion<IoFault> Waiter) head) && Fits(head.Credits))
        {
            _waiters.Dequeue();
            Interlocked.Add(ref _promised, head.Credits);
            head.Waiter.Complete(IoFault.None);
        }
    }

    public void FailAll(IoFault fault)
    {
        while (_waiters.TryDequeue(out (int Credits, PooledCompletion<IoFault> Waiter) head))
        {
            head.Waiter.Complete(fault);
        }
    }

    /// <summary>
    /// A change larger than the limit goes alone. Promises are looked at first: a credit that becomes a dirty block meanwhile (counted as the latter before it is
    /// <see cref="Spent"/>) is counted twice, never left out.
    /// </summary>
    private bool Fits(int credits)
    {
        if (_isHeld)
        {
            return false;
        }

        int promised = Volatile.Read(ref _promised);
        int used = promised + cache.UnstableBlocks + cache.LoggedBlocks;
        return (used == 0 || (long)used + credits <= limit) && fitsLog(promised + cache.DirtyBlocks, credits);
    }
}

using Penstock.Execution;

namespace Penstock.Journal;

/// <summary>
/// The room for changes: blocks that are dirty or being written, and credits promised to open handles, stay under a limit. Guarded by the
/// journal's latch. A log counts its own free blocks here too.
/// </summary>
internal sealed class RoomQueue(VolumeMetadataCache cache, int limit)
{
    private readonly Queue<(int Credits, PooledCompletion<IoFault> Waiter)> _waiters = new();
    private int _promised;

    public bool HasWaiters => _waiters.Count > 0;

    /// <summary>
    /// Promises first: a credit that becomes a dirty block meanwhile (counted as the latter before it is <see cref="Spent"/>) is counted twice, never
    /// left out.
    /// </summary>
    private int Used => Volatile.Read(ref _promised) + cache.UnstableBlocks;

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

    /// <summary>A change larger than the limit goes alone.</summary>
    private bool Fits(int credits) => Used is var used && (used == 0 || (long)used + credits <= limit);
}

using System.Threading.Tasks.Sources;
using Penstock.Execution;

namespace Penstock.Locking;

/// <summary>
/// A lock that many share or one holds exclusively, awaited and never owned by a thread. First come, first served: a waiter is never
/// overtaken, so neither kind starves. Grants go through the <see cref="Scheduler"/>; an uncontended acquisition completes at once and
/// allocates nothing. Not recursive.
/// </summary>
/// <remarks>
/// Invariants: (1) never shared and exclusive holders at once; (2) while somebody waits, no newcomer is granted; (3) a grant is counted
/// under the latch before its continuation is posted, so there is no moment in which the lock is free but promised.
/// </remarks>
internal sealed class SharedLock(Scheduler scheduler, LockRank rank, ulong order = 0, string? name = null)
{
    private Waiter? _firstWaiter;
    private Waiter? _lastWaiter;

    /// <summary>-1: held exclusively; 0: free; n: shared by n.</summary>
    private int _state;

    public LockRank Rank => rank;

    /// <summary>How many hold the lock shared. For assertions and diagnostics: it may be different by the time it is looked at.</summary>
    public int SharedCount => Math.Max(Volatile.Read(ref _state), 0);

    /// <summary>Whether somebody holds the lock exclusively. For assertions.</summary>
    public bool IsHeldExclusively => Volatile.Read(ref _state) < 0;

    public bool IsHeld => Volatile.Read(ref _state) != 0;

    public bool TryAcquireShared() => TryAcquire(isExclusive: false);

    public bool TryAcquireExclusive() => TryAcquire(isExclusive: true);

    public ValueTask AcquireSharedAsync() => AcquireAsync(isExclusive: false);

    public ValueTask AcquireExclusiveAsync() => AcquireAsync(isExclusive: true);

    public void ReleaseShared()
    {
        RecordRelease(isExclusive: false);
        Release(isExclusive: false);
    }

    public void ReleaseExclusive()
    {
        RecordRelease(isExclusive: true);
        Release(isExclusive: true);
    }

    /// <summary>The current operation hands its shared hold to a completion, which calls <see cref="ReleaseSharedByCompletion"/>.</summary>
    public void DisownShared()
    {
        if (Checks.IsSupported)
        {
            scheduler.Recorder?.Disown(rank, this);
        }
    }

    /// <summary>As <see cref="DisownShared"/>, for an exclusive hold.</summary>
    public void DisownExclusive() => DisownShared();

    public void ReleaseSharedByCompletion()
    {
        if (Checks.IsSupported)
        {
            scheduler.Recorder?.ReleasedByCompletion(rank, this, isExclusive: false);
        }

        Release(isExclusive: false);
    }

    public void ReleaseExclusiveByCompletion()
    {
        if (Checks.IsSupported)
        {
            scheduler.Recorder?.ReleasedByCompletion(rank, this, isExclusive: true);
        }

        Release(isExclusive: true);
    }

    /// <summary>Turns an exclusive hold into a shared one without letting anybody in between; shared waiters at the head follow.</summary>
    public void Downgrade()
    {
        if (Checks.IsSupported && scheduler.Recorder is { } recorder)
        {
            recorder.Released(rank, this, isExclusive: true);
            recorder.Acquired(rank, order, this, isExclusive: false);
        }

        Waiter? granted;
        lock (this)
        {
            RequireState(_state < 0, "downgraded without being held exclusively");
            _state = 1;
            granted = GrantFromHead();
        }

        Resume(granted);
    }

    public override string ToString() => name ?? $"{rank} {order}";

    private static void RequireState(bool condition, string problem)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"A lock was {problem}.");
        }
    }

    private bool TryAcquire(bool isExclusive)
    {
        lock (this)
        {
            if (!CanGrant(isExclusive) || _firstWaiter is not null)
            {
                return false;
            }

            _state = isExclusive ? -1 : _state + 1;
        }

        if (Checks.IsSupported)
        {
            scheduler.Recorder?.Acquired(rank, order, this, isExclusive);
        }

        return true;
    }

    private ValueTask AcquireAsync(bool isExclusive)
    {
        if (Checks.IsSupported && scheduler.Recorder is { } recorder)
        {
            recorder.Acquiring(rank, order, this, isExclusive);
            recorder.Acquired(rank, order, this, isExclusive);
        }

        Waiter waiter;
        lock (this)
        {
            if (_firstWaiter is null && CanGrant(isExclusive))
            {
                _state = isExclusive ? -1 : _state + 1;
                return ValueTask.CompletedTask;
            }

            waiter = Waiter.Rent(scheduler, isExclusive);
            if (_lastWaiter is null)
            {
                _firstWaiter = waiter;
            }
            else
            {
                _lastWaiter.Next = waiter;
            }

            _lastWaiter = waiter;
        }

        return waiter.Task;
    }

    private void Release(bool isExclusive)
    {
        Waiter? granted;
        lock (this)
        {
            RequireState(isExclusive ? _state < 0 : _state > 0, "released without being held");
            _state = isExclusive ? 0 : _state - 1;
            granted = GrantFromHead();
        }

        Resume(granted);
    }

    private bool CanGrant(bool isExclusive) => isExclusive ? _state == 0 : _state >= 0;

    /// <summary>Takes off the queue all waiters that can be granted now, counts them in, and returns them as a chain.</summary>
    private Waiter? GrantFromHead()
    {
        Waiter? first = null;
        Waiter? last = null;
        while (_firstWaiter is { } waiter && CanGrant(waiter.IsExclusive))
        {
            _state = waiter.IsExclusive ? -1 : _state + 1;
            _firstWaiter = waiter.Next;
            waiter.Next = null;
            if (_firstWaiter is null)
            {
                _lastWaiter = null;
            }

            if (last is null)
            {
                first = waiter;
            }
            else
            {
                last.Next = waiter;
            }

            last = waiter;
        }

        return first;
    }

    private static void Resume(Waiter? granted)
    {
        while (granted is not null)
        {
            Waiter? next = granted.Next;
            granted.Next = null;
            granted.Grant();
            granted = next;
        }
    }

    private void RecordRelease(bool isExclusive)
    {
        if (Checks.IsSupported)
        {
            scheduler.Recorder?.Released(rank, this, isExclusive);
        }
    }

    private sealed class Waiter : IValueTaskSource
    {
        private static readonly Pool<Waiter> s_pool = new(() => new Waiter());

        private CompletionCore<bool> _core;
        private Scheduler? _scheduler;

        public Waiter? Next { get; set; }

        public bool IsExclusive { get; private set; }

        public ValueTask Task => new(this, _core.Version);

        public static Waiter Rent(Scheduler scheduler, bool isExclusive)
        {
            Waiter waiter = s_pool.Rent();
            waiter._scheduler = scheduler;
            waiter.IsExclusive = isExclusive;
            return waiter;
        }

        public void Grant() => _scheduler!.Post(static state => ((Waiter)state!)._core.SetResult(true), this);

        void IValueTaskSource.GetResult(short token)
        {
            _core.GetResult(token);
            _core.Reset();
            s_pool.Return(this);
        }

        ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

        void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        {
            Scheduler scheduler = _scheduler!;
            if (!_core.TryAwait(continuation, state, token))
            {
                scheduler.Post(continuation, state);
            }
        }
    }
}

namespace Penstock.Execution;

/// <summary>
/// Users' continuations that a reaping thread has posted, which it runs itself after it has laid its duty down: so a completion wakes no other thread,
/// and a user who blocks or computes for long holds up nobody but himself.
/// </summary>
/// <remarks>
/// Invariants: (1) only the row's thread adds and runs, and it has no <see cref="SharedDuty"/> while it runs; (2) each piece is claimed once, by that thread or by
/// who hands the row over; (3) a row that runs through two looks of the watch, or is about to block, is handed over: what is left of it goes to
/// the runtime's pool, and somebody stands in for the duty; (4) for a while after that, longer each time, the row takes nothing: users of that kind are
/// better served by the pool.
/// </remarks>
internal sealed class UserRow(SharedDuty duty, RowWatch watch)
{
    private (Action<object?> Work, object? State)[] _items = new (Action<object?>, object?)[256];
    private int _count;

    /// <summary>The phase (odd while the row runs) and, in the lower half, how many pieces are claimed: one word, so that a claim is for the phase it was made in.</summary>
    private long _state;
    private long _phaseLooked;

    public bool IsEmpty => _count == 0;

    public SharedDuty Duty => duty;

    /// <summary>Whether the row runs now.</summary>
    public bool IsRunning => (Phase & 1) != 0;

    private long Phase => Volatile.Read(ref _state) >> 32;

    /// <summary>The row's thread: adds a piece, unless users' continuations had better not be run here for now.</summary>
    public bool TryAdd(Action<object?> work, object? state)
    {
        if (duty.IsResting)
        {
            return false;
        }

        if (_count == _items.Length)
        {
            Array.Resize(ref _items, _count * 2);
        }

        _items[_count] = (work, state);
        Volatile.Write(ref _count, _count + 1);
        return true;
    }

    /// <summary>The row's thread, without the duty: runs what was added before.</summary>
    public void Run()
    {
        long phase = Phase + 1;
        Interlocked.Exchange(ref _state, phase << 32);

        // After the phase: the watch says that it sleeps, and then looks at the phases.
        watch.Wake();
        while (TryClaim(phase, out (Action<object?> Work, object? State) item))
        {
            item.Work(item.State);
        }

        Interlocked.Exchange(ref _state, (phase + 1) << 32);
        Array.Clear(_items, 0, _count);
        _count = 0;
    }

    /// <summary>The watch: whether the row has run since the last look. Hands it over where it still runs.</summary>
    public bool Look()
    {
        long phase = Phase;
        bool isRunning = (phase & 1) != 0;
        if (isRunning && phase == _phaseLooked)
        {
            HandOver();
        }

        bool hasRun = phase != _phaseLooked || isRunning;
        _phaseLooked = phase;
        return hasRun;
    }

    /// <summary>Any thread: the row, if it runs, will not go on soon.</summary>
    public void HandOver()
    {
        if (IsRunning)
        {
            duty.Rest();
            Spill();
            duty.WantStandIn();
        }
    }

    /// <summary>Any thread: what is left of a row that runs goes to the runtime's pool.</summary>
    public void Spill()
    {
        long phase = Phase;
        while ((phase & 1) != 0 && TryClaim(phase, out (Action<object?> Work, object? State) item))
        {
            PoolWork.Queue(item.Work, item.State);
        }
    }

    /// <summary>What is claimed is read first: while the phase lasts it stays where it is.</summary>
    private bool TryClaim(long phase, out (Action<object?> Work, object? State) item)
    {
        while (true)
        {
            long state = Volatile.Read(ref _state);
            int index = (int)(state & uint.MaxValue);
            if (state >> 32 != phase || index >= Volatile.Read(ref _count))
            {
                item = default;
                return false;
            }

            item = _items[index];
            if (Interlocked.CompareExchange(ref _state, state + 1, state) == state)
            {
                return true;
            }
        }
    }
}

using System.Globalization;
using Penstock.Execution;

namespace Penstock.Testing.Execution;

/// <summary>
/// A scheduler that a test drives: one thread, a virtual clock, and posted work that runs only inside <see cref="Run(Func{Task})"/>,
/// <see cref="RunUntilIdle"/> and <see cref="Advance"/>, first in first out or, with a seed, in an order drawn from it. The same seed gives the same
/// run. Waiting for what can never happen is a <see cref="HangException"/> and not a test that sits there.
/// </summary>
internal sealed class ManualScheduler : Scheduler
{
    private const int MaxSteps = 50_000_000;
    private static readonly TimeSpan s_longest = TimeSpan.FromHours(1);

    private readonly object _latch = new();
    private readonly List<Work> _ready = [];
    private readonly List<ManualAlarm> _alarms = [];
    private readonly Random? _order;
    private readonly Random _bytes;
    private readonly List<Exception> _escaped = [];
    private int _head;
    private long _now;
    private long _alarmCounter;
    private int _runnerThread;
    private bool _isInCorePlace;

    /// <summary>Work runs in the order in which it was posted.</summary>
    public ManualScheduler()
        : this(null)
    {
    }

    /// <summary>Work runs in an order drawn from <paramref name="seed"/>.</summary>
    public ManualScheduler(int? seed)
    {
        Seed = seed;
        _order = seed is { } s ? new Random(s) : null;
        _bytes = new Random((seed ?? 0) ^ 0x5EED);
    }

    public int? Seed { get; }

    /// <summary>The virtual wall clock starts on 2024-01-01 and moves only with the alarms.</summary>
    public override long UnixNanoseconds => 1_704_067_200_000_000_000 + MonotonicNanoseconds;

    public override long MonotonicNanoseconds
    {
        get
        {
            lock (_latch)
            {
                return _now;
            }
        }
    }

    /// <summary>Whether the current place is the test's own or one that was posted for a user.</summary>
    public override bool MayTouchUserMemory => !_isInCorePlace;

    /// <summary>How many pieces of work are ready.</summary>
    public int ReadyCount
    {
        get
        {
            lock (_latch)
            {
                return _ready.Count - _head;
            }
        }
    }

    /// <summary>How many alarms are set.</summary>
    public int AlarmCount
    {
        get
        {
            lock (_latch)
            {
                return _alarms.Count;
            }
        }
    }

    public override void Post(Action<object?> work, object? state) => Add(new Work(work, state, IsUser: false));

    public override void PostToUser(Action<object?> work, object? state) => Add(new Work(work, state, IsUser: true));

    public override Alarm CreateAlarm(Action<object?> work, object? state) => new ManualAlarm(this, work, state);

    public override void FillRandom(Span<byte> bytes)
    {
        lock (_latch)
        {
            _bytes.NextBytes(bytes);
        }
    }

    public override void StartReaper(string name, Action loop) =>
        throw new NotSupportedException($"A simulated run has no thread for {name}: use a device whose completions are simulated.");

    /// <summary>Runs one piece of ready work; false if there is none.</summary>
    public bool RunOne()
    {
        if (!TryTake(out Work work))
        {
            return false;
        }

        bool wasInCorePlace = _isInCorePlace;
        _isInCorePlace = !work.IsUser;
        try
        {
            InPlainContext(static w => w.Action(w.State), work);
        }
        finally
        {
            _isInCorePlace = wasInCorePlace;
        }

        ThrowEscaped();
        return true;
    }

    /// <summary>Runs everything that is ready, and what becomes ready by it. The clock stands still.</summary>
    public void RunUntilIdle()
    {
        for (int step = 0; RunOne(); step++)
        {
            RequireProgress(step, _now);
        }
    }

    /// <summary>Moves the clock forward; alarms go off on the way, in their order.</summary>
    public void Advance(TimeSpan time)
    {
        long end = MonotonicNanoseconds + ToNanoseconds(time);
        RunUntilIdle();
        while (TryRingNext(end))
        {
            RunUntilIdle();
        }

        lock (_latch)
        {
            _now = end;
        }
    }

    /// <summary>Runs a test body to its end. When nothing is ready the clock jumps to the next alarm; when there is none, it hangs: an exception.</summary>
    public void Run(Func<Task> body)
    {
        Task task = StartBody(body);
        Complete(task);
        task.GetAwaiter().GetResult();
    }

    /// <inheritdoc cref="Run(Func{Task})"/>
    public T Run<T>(Func<Task<T>> body)
    {
        var task = (Task<T>)StartBody(body);
        Complete(task);
        return task.GetAwaiter().GetResult();
    }

    /// <summary>Runs until <paramref name="task"/> has completed, in whatever way.</summary>
    public void Complete(Task task)
    {
        long start = MonotonicNanoseconds;
        for (int step = 0; !task.IsCompleted; step++)
        {
            if (!RunOne() && !TryRingNext(long.MaxValue))
            {
                throw new HangException($"Nothing is ready and no alarm is set, but what was waited for has not happened{DescribeSeed()}. (A Task "
                    + "with several awaiters resumes them on the runtime's pool: SharedEvent does not.)");
            }

            RequireProgress(step, start);
        }

        ThrowEscaped();
    }

    private static long ToNanoseconds(TimeSpan time) => time.Ticks * 100;

    /// <summary>
    /// Runs without the test framework's synchronization context: with one, tasks would send their continuations to the runtime's pool,
    /// and the order would not be ours.
    /// </summary>
    private static void InPlainContext<T>(Action<T> action, T argument)
    {
        SynchronizationContext? outer = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            action(argument);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outer);
        }
    }

    private Task StartBody(Func<Task> body)
    {
        Task? task = null;
        InPlainContext(b => task = b(), body);
        return task!;
    }

    private void RequireProgress(int step, long start)
    {
        if (step > MaxSteps || MonotonicNanoseconds - start > ToNanoseconds(s_longest))
        {
            throw new HangException(
                $"No end after {step} steps and {TimeSpan.FromTicks((_now - start) / 100)} of virtual time{DescribeSeed()}.");
        }
    }

    private string DescribeSeed() => Seed is { } seed ? string.Create(CultureInfo.InvariantCulture, $" (seed {seed})") : string.Empty;

    private void Add(Work work)
    {
        lock (_latch)
        {
            NoteThread();
            _ready.Add(work);
        }
    }

    /// <summary>Latch held. Work from a second thread means that something left the seam: the run would not repeat.</summary>
    private void NoteThread()
    {
        int current = Environment.CurrentManagedThreadId;
        if (_runnerThread != 0 && _runnerThread != current && _escaped.Count == 0)
        {
            _escaped.Add(new InvalidOperationException($"Work was posted from another thread: something left the scheduler.\n{Environment.StackTrace}"));
        }
    }

    private void ThrowEscaped()
    {
        lock (_latch)
        {
            if (_escaped.Count > 0)
            {
                Exception first = _escaped[0];
                _escaped.Clear();
                throw first;
            }
        }
    }

    private bool TryTake(out Work work)
    {
        lock (_latch)
        {
            _runnerThread = Environment.CurrentManagedThreadId;
            int count = _ready.Count - _head;
            if (count == 0)
            {
                work = default;
                return false;
            }

            int index = _head + (_order?.Next(count) ?? 0);
            work = _ready[index];
            _ready[index] = _ready[_head];
            _ready[_head++] = default;
            if (_head == _ready.Count || _head >= 4096)
            {
                _ready.RemoveRange(0, _head);
                _head = 0;
            }

            return true;
        }
    }

    private bool TryRingNext(long end)
    {
        ManualAlarm? next = null;
        lock (_latch)
        {
            foreach (ManualAlarm alarm in _alarms)
            {
                if (next is null || alarm.Due < next.Due || (alarm.Due == next.Due && alarm.Number < next.Number))
                {
                    next = alarm;
                }
            }

            if (next is null || next.Due > end)
            {
                return false;
            }

            _alarms.Remove(next);
            _now = Math.Max(_now, next.Due);
        }

        next.Ring();
        return true;
    }

    private readonly record struct Work(Action<object?> Action, object? State, bool IsUser);

    private sealed class ManualAlarm(ManualScheduler scheduler, Action<object?> work, object? state) : Alarm
    {
        public long Due { get; private set; }

        public long Number { get; private set; }

        public void Ring() => scheduler.Post(work, state);

        public override void Set(TimeSpan delay)
        {
            lock (scheduler._latch)
            {
                scheduler._alarms.Remove(this);
                Due = scheduler._now + ToNanoseconds(delay);
                Number = scheduler._alarmCounter++;
                scheduler._alarms.Add(this);
            }
        }

        public override void Cancel()
        {
            lock (scheduler._latch)
            {
                scheduler._alarms.Remove(this);
            }
        }

        public override void Dispose() => Cancel();
    }
}

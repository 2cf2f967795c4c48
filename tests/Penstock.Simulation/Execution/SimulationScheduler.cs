using Penstock.Execution;

namespace Penstock.Simulation.Execution;

/// <summary>Something outside the scheduler that can happen next: the completion of a device's request.</summary>
internal interface IEventSource
{
    /// <summary>How many things could happen now.</summary>
    int Pending { get; }

    /// <summary>Lets one of them happen, in a core place.</summary>
    void Happen(Chance chance);

    /// <summary>Nothing can go on without what is held back on purpose: lets it go. False if nothing is held.</summary>
    bool LetGo();
}

/// <summary>
/// The scheduler that owns every choice: which ready continuation runs next, when a request of the device completes, when an alarm rings, what
/// the clocks say, what random bytes are. One thread, no latch, no queue of the runtime's. All choices are drawn from one seed.
/// </summary>
internal sealed class SimulationScheduler : Scheduler
{
    private const long NanosecondsPerStep = 1000;
    private const long Leap = 35L * 1_000_000_000;

    private readonly Chance _chance;
    private readonly Chance _bytes;
    private readonly List<SimulationAlarm> _alarms = [];
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private Work[] _ready = new Work[64];
    private int _readyCount;
    private long _now;
    private long _alarmNumber;
    private bool _isInCorePlace;

    public SimulationScheduler(ulong seed, Trace trace)
    {
        _chance = new Chance(seed);
        _bytes = new Chance(Chance.Mix(seed, 1));
        Trace = trace;
    }

    public Trace Trace { get; }

    /// <summary>How the next step is chosen; may be changed between steps.</summary>
    public OrderProfile Profile { get; set; } = new();

    public IEventSource? Device { get; set; }

    /// <summary>Called after each step, to check what must hold between any two.</summary>
    public Action? AfterStep { get; set; }

    /// <summary>The number of steps so far.</summary>
    public long Steps { get; private set; }

    /// <summary>What left the scheduler's hands: a run in which that happens does not repeat.</summary>
    public string? Escape { get; private set; }

    public override long UnixNanoseconds => 1_704_067_200_000_000_000 + _now;

    public override long MonotonicNanoseconds => _now;

    public override bool MayTouchUserMemory => !_isInCorePlace;

    public override void Post(Action<object?> work, object? state) => Add(new Work(work, state, IsUser: false));

    public override void PostToUser(Action<object?> work, object? state) => Add(new Work(work, state, IsUser: true));

    public override Alarm CreateAlarm(Action<object?> work, object? state) => new SimulationAlarm(this, work, state);

    public override void FillRandom(Span<byte> bytes) => _bytes.Fill(bytes);

    public override void StartReaper(string name, Action loop) =>
        throw new NotSupportedException($"A simulated run has no thread for {name}.");

    /// <summary>An activity in the background has failed in a way nobody handles.</summary>
    protected override void OnEscape(Exception exception) => Escape ??= $"A background activity failed: {exception}";

    /// <summary>Does one thing; false if there is nothing left to do.</summary>
    public bool Step()
    {
        Steps++;
        _now += NanosecondsPerStep;
        int pending = Device?.Pending ?? 0;
        if (_readyCount > 0 && _alarms.Count > 0 && MayStrike())
        {
            return true;
        }

        if (pending > 0 && (_readyCount == 0 || _chance.Next(256) < Profile.DeviceWeight))
        {
            _isInCorePlace = true;
            Device!.Happen(_chance);
        }
        else if (_readyCount > 0)
        {
            RunOne();
        }
        else if (Device is null || !Device.LetGo())
        {
            if (_alarms.Count == 0)
            {
                return false;
            }

            RingNext();
        }

        _isInCorePlace = false;
        AfterStep?.Invoke();
        return true;
    }

    /// <summary>Runs until the condition holds; false if nothing is left to do before it does, or it takes longer than any run can.</summary>
    public bool RunUntil(Func<bool> condition, long mostSteps)
    {
        for (long end = Steps + mostSteps; !condition();)
        {
            if (Steps >= end || !Step())
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Runs until nothing is ready and nothing in flight; the clock does not jump. False if there is no end of it.</summary>
    public bool RunUntilIdle(long mostSteps)
    {
        long end = Steps + mostSteps;
        while (_readyCount > 0 || Device is { Pending: > 0 })
        {
            if (Steps >= end || !Step())
            {
                return false;
            }
        }

        return true;
    }

    private bool MayStrike()
    {
        int draw = _chance.Next(65536);
        if (draw < Profile.LeapWeight)
        {
            Trace.Note(TraceKind.Leap, (ulong)_now);
            _now += Leap;
            RingNext();
            return true;
        }

        if (draw < Profile.LeapWeight + (Profile.AlarmWeight * 16))
        {
            RingNext();
            return true;
        }

        return false;
    }

    private void RunOne()
    {
        int index = Choose();
        Work work = _ready[index];
        _readyCount--;
        Array.Copy(_ready, index + 1, _ready, index, _readyCount - index);
        _ready[_readyCount] = default;
        Trace.Note(TraceKind.Continuation, (ulong)index, (ulong)_readyCount);
        _isInCorePlace = !work.IsUser;
        work.Action(work.State);
    }

    private int Choose()
    {
        int index = Profile.Order switch
        {
            Order.Oldest => 0,
            Order.OldestMostly => _chance.OneIn(8) ? _chance.Next(_readyCount) : 0,
            Order.NewestMostly => _chance.OneIn(8) ? _chance.Next(_readyCount) : _readyCount - 1,
            _ => _chance.Next(_readyCount),
        };
        if (_ready[index].IsUser && Profile.UserDelay > 0 && _chance.Next(256) < Profile.UserDelay)
        {
            for (int i = 0; i < _readyCount; i++)
            {
                if (!_ready[i].IsUser)
                {
                    return i;
                }
            }
        }

        return index;
    }

    private void Add(in Work work)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            Escape ??= $"Work was posted from another thread.\n{Environment.StackTrace}";
            return;
        }

        if (_readyCount == _ready.Length)
        {
            Array.Resize(ref _ready, _readyCount * 2);
        }

        _ready[_readyCount++] = work;
    }

    private void RingNext()
    {
        int next = 0;
        for (int i = 1; i < _alarms.Count; i++)
        {
            if (_alarms[i].Due < _alarms[next].Due || (_alarms[i].Due == _alarms[next].Due && _alarms[i].Number < _alarms[next].Number))
            {
                next = i;
            }
        }

        SimulationAlarm alarm = _alarms[next];
        _alarms.RemoveAt(next);
        _now = Math.Max(_now, alarm.Due);
        Trace.Note(TraceKind.Alarm, (ulong)alarm.Number, (ulong)_now);
        alarm.Ring();
    }

    private readonly record struct Work(Action<object?> Action, object? State, bool IsUser);

    private sealed class SimulationAlarm(SimulationScheduler scheduler, Action<object?> work, object? state) : Alarm
    {
        public long Due { get; private set; }

        public long Number { get; private set; }

        public void Ring() => scheduler.Post(work, state);

        public override void Set(TimeSpan delay)
        {
            scheduler._alarms.Remove(this);
            Due = scheduler._now + (delay.Ticks * 100);
            Number = scheduler._alarmNumber++;
            scheduler._alarms.Add(this);
        }

        public override void Cancel() => scheduler._alarms.Remove(this);

        public override void Dispose() => Cancel();
    }
}

using System.Diagnostics;

namespace Penstock.Execution;

/// <summary>
/// The scheduler of production. Core continuations run on a few workers of our own, so that they go on even when every thread of the
/// runtime's pool is blocked by a user who waits for one of our results; users' continuations run in the row of the thread that reaped, or on that pool.
/// What follows a lone request step by step (an fsync: data, log, flush, commit block) stays on the thread that reaps, which would only sleep meanwhile.
/// </summary>
internal sealed class ThreadedScheduler : Scheduler
{
    [ThreadStatic]
    private static bool t_isCorePlace;

    [ThreadStatic]
    private static UserRow? t_row;

    [ThreadStatic]
    private static CallerRow? t_callerRow;

    /// <summary>What <see cref="EndRound"/> will look at; of reaping threads that have a row.</summary>
    [ThreadStatic]
    private static (Action<object?> Work, object? State)? t_kept;

    private readonly WorkQueue _queue = new();
    private readonly RowWatch _watch = new();

    /// <summary>Workers that were not needed yet: a command of a few milliseconds needs none or one.</summary>
    private int _unstarted;

    private ThreadedScheduler(int workers) => _unstarted = workers;

    public static ThreadedScheduler Shared { get; } = new(Math.Clamp(Environment.ProcessorCount, 2, 8));

    public override long UnixNanoseconds => (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) * 100;

    public override long MonotonicNanoseconds => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    public override bool MayTouchUserMemory => !t_isCorePlace;

    /// <summary>A scheduler with the production behaviour but its own recorder and mutant; for tests.</summary>
    public static ThreadedScheduler CreateForTest() => new(2);

    public override void Post(Action<object?> work, object? state)
    {
        if (t_row is not null && t_isCorePlace && t_kept is null)
        {
            t_kept = (work, state);
        }
        else
        {
            Enqueue(work, state);
        }
    }

    public override void PostToUser(Action<object?> work, object? state)
    {
        if (t_row is null || !t_isCorePlace || !t_row.TryAdd(work, state))
        {
            PoolWork.Queue(work, state);
        }
    }

    public override Alarm CreateAlarm(Action<object?> work, object? state) => new TimerAlarm(this, work, state);

    public override void FillRandom(Span<byte> bytes) => RandomSupply.Fill(bytes);

    public override void StartReaper(string name, Action loop) => StartCoreThread(name, loop);

    public override void OpenRow(SharedDuty duty)
    {
        t_row = new UserRow(duty, _watch);
        _watch.Add(t_row);
    }

    public override void CloseRow()
    {
        EndRound(static () => false);
        _watch.Remove(t_row!);
        t_row = null;
    }

    public override void EndRound(Func<bool> isIdle)
    {
        while (t_kept is { } kept)
        {
            t_kept = null;
            if (isIdle())
            {
                kept.Work(kept.State);
            }
            else
            {
                Enqueue(kept.Work, kept.State);
            }
        }
    }

    public override bool RunRow()
    {
        UserRow row = t_row!;
        if (row.IsEmpty)
        {
            return true;
        }

        row.Duty.LayDown();
        t_isCorePlace = false;
        row.Run();
        t_isCorePlace = true;
        return row.Duty.TryTake();
    }

    public override bool HasRow => t_row is { IsEmpty: false } || t_kept is not null;

    public override bool TryOpenCallerRow(bool blocks = false)
    {
        if (t_isCorePlace)
        {
            return false;
        }

        (t_callerRow ??= new CallerRow()).Open(blocks);
        return true;
    }

    public override bool TryPostToCaller(Action<object?> work, object? state) => !t_isCorePlace && t_callerRow is { } row && row.TryAdd(work, state);

    public override bool TryPostToBlockedCaller(Action<object?> work, object? state) =>
        !t_isCorePlace && t_callerRow is { } row && row.TryAddBlocking(work, state);

    public override void RunCallerRow() => t_callerRow?.Run();

    public override void CloseCallerRow() => t_callerRow!.Close();

    public override void AboutToBlock()
    {
        if (t_row is { } row && !t_isCorePlace)
        {
            row.HandOver();
        }
    }

    private static void StartCoreThread(string name, Action loop)
    {
        var thread = new Thread(() =>
        {
            t_isCorePlace = true;
            loop();
        })
        {
            IsBackground = true,
            Name = name,
        };
        thread.UnsafeStart();
    }

    private void Enqueue(Action<object?> work, object? state)
    {
        // Looked at without the latch first: whoever sees it too late looks again, and it never rises.
        if (!_queue.Enqueue(work, state) || _unstarted == 0)
        {
            return;
        }

        int left;
        lock (_watch)
        {
            if (_unstarted == 0)
            {
                return;
            }

            left = --_unstarted;
        }

        StartCoreThread($"penstock-core-{left}", RunWorker);
    }

    private void RunWorker()
    {
        while (true)
        {
            _queue.Dequeue(out Action<object?> work, out object? state);
            work(state);
        }
    }

    private sealed class TimerAlarm : Alarm
    {
        private readonly Timer _timer;

        public TimerAlarm(Scheduler scheduler, Action<object?> work, object? state) =>
            _timer = new Timer(_ => scheduler.Post(work, state));

        public override void Set(TimeSpan delay) => _timer.Change(delay, Timeout.InfiniteTimeSpan);

        public override void Cancel() => _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public override void Dispose() => _timer.Dispose();
    }
}

using System.Collections.Concurrent;
using Penstock.Execution;
using Xunit;

namespace Penstock.Tests.Execution;

/// <summary>The scheduler of production: core places are not user places, and posted work is not lost.</summary>
public sealed class ThreadedSchedulerTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private readonly ThreadedScheduler _scheduler = ThreadedScheduler.CreateForTest();

    [Fact]
    public void Core_places_and_user_places_are_told_apart()
    {
        Assert.True(_scheduler.MayTouchUserMemory);
        var seen = new BlockingCollection<string>();
        _scheduler.Post(_ => seen.Add($"core {_scheduler.MayTouchUserMemory}"), null);
        Assert.Equal("core False", Take(seen));
        _scheduler.PostToUser(_ => seen.Add($"user {_scheduler.MayTouchUserMemory}"), null);
        Assert.Equal("user True", Take(seen));
        _scheduler.StartReaper("test-reaper", () => seen.Add($"{Thread.CurrentThread.Name} {_scheduler.MayTouchUserMemory}"));
        Assert.Equal("test-reaper False", Take(seen));
    }

    [Fact]
    public void Work_never_runs_inside_Post()
    {
        int poster = Environment.CurrentManagedThreadId;
        var seen = new BlockingCollection<int>();
        _scheduler.Post(_ => seen.Add(Environment.CurrentManagedThreadId), null);
        Assert.NotEqual(poster, Take(seen));
    }

    [Fact]
    public void A_reaping_thread_runs_one_continuation_itself_where_it_would_sleep_and_hands_the_others_on()
    {
        var seen = new BlockingCollection<string>();
        _scheduler.StartReaper("test-reaper", () =>
        {
            _scheduler.OpenRow(new SharedDuty(static () => { }));
            _scheduler.Post(_ => Post("idle"), null);
            _scheduler.Post(_ => Note("second"), null);
            Assert.True(_scheduler.HasRow);
            _scheduler.EndRound(static () => true);
            Assert.False(_scheduler.HasRow);
            _scheduler.Post(_ => Note("busy"), null);
            _scheduler.EndRound(static () => false);
            _scheduler.Post(_ => Note("last"), null);
            _scheduler.CloseRow();
        });
        string[] all = [.. Enumerable.Range(0, 5).Select(_ => Take(seen)).Order()];
        Assert.Equal(["busy here: False", "chained here: True", "idle here: True", "last here: False", "second here: False"], all);

        void Post(string what)
        {
            Note(what);
            _scheduler.Post(_ => Note("chained"), null);
        }

        void Note(string what) => seen.Add($"{what} here: {Thread.CurrentThread.Name == "test-reaper"}");
    }

    [Fact]
    public void Posted_work_starts_in_its_order_and_none_is_lost()
    {
        var started = new ConcurrentQueue<int>();
        using var done = new CountdownEvent(10_000);
        var latch = new object();
        int next = 0;
        for (int i = 0; i < 10_000; i++)
        {
            _scheduler.Post(
                _ =>
                {
                    lock (latch)
                    {
                        started.Enqueue(next++);
                    }

                    done.Signal();
                },
                null);
        }

        Assert.True(done.Wait(s_patience));
        Assert.Equal(Enumerable.Range(0, 10_000), started);
    }

    [Fact]
    public void An_alarm_goes_off_once_in_a_core_place()
    {
        var seen = new BlockingCollection<bool>();
        using Alarm alarm = _scheduler.CreateAlarm(_ => seen.Add(_scheduler.MayTouchUserMemory), null);
        long before = _scheduler.MonotonicNanoseconds;
        alarm.Set(TimeSpan.FromMilliseconds(30));
        Assert.False(Take(seen));
        Assert.True(_scheduler.MonotonicNanoseconds - before >= 25_000_000);
        Assert.False(seen.TryTake(out _, 100));
        alarm.Set(TimeSpan.FromMilliseconds(1));
        Assert.False(Take(seen));
    }

    [Fact]
    public void An_alarm_that_is_cancelled_or_set_anew_does_not_go_off_at_its_old_time()
    {
        var seen = new BlockingCollection<int>();
        using Alarm alarm = _scheduler.CreateAlarm(_ => seen.Add(1), null);
        alarm.Set(TimeSpan.FromMilliseconds(200));
        alarm.Cancel();
        alarm.Set(TimeSpan.FromMilliseconds(100));
        alarm.Set(TimeSpan.FromSeconds(100));
        Assert.False(seen.TryTake(out _, 400));
    }

    [Fact]
    public async Task Awaiting_a_user_place_leaves_the_core_and_yielding_enters_it()
    {
        bool[] seen = await OnCore(async () =>
        {
            bool before = _scheduler.MayTouchUserMemory;
            await _scheduler.SwitchToUserPlace();
            bool inUserPlace = _scheduler.MayTouchUserMemory;
            await _scheduler.Yield();
            return (bool[])[before, inUserPlace, _scheduler.MayTouchUserMemory];
        });
        Assert.Equal([false, true, false], seen);
    }

    [Fact]
    public void The_core_goes_on_while_every_thread_of_the_pool_is_blocked()
    {
        using var gate = new ManualResetEventSlim();
        using var blocked = new CountdownEvent(4);
        ThreadPool.GetMinThreads(out int workers, out _);
        int count = Math.Max(workers, 4);
        for (int i = 0; i < count; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    if (!blocked.IsSet)
                    {
                        blocked.Signal();
                    }

                    gate.Wait();
                },
                null);
        }

        blocked.Wait(s_patience);
        var seen = new BlockingCollection<int>();
        _scheduler.Post(_ => seen.Add(5), null);
        Assert.Equal(5, Take(seen));
        gate.Set();
    }

    [Fact]
    public void The_wall_clock_is_this_years_and_the_other_never_goes_back()
    {
        Assert.Equal(DateTime.UtcNow.Year, DateTime.UnixEpoch.AddTicks(_scheduler.UnixNanoseconds / 100).Year);
        long last = 0;
        for (int i = 0; i < 1000; i++)
        {
            long now = _scheduler.MonotonicNanoseconds;
            Assert.True(now >= last);
            last = now;
        }
    }

    [Fact]
    public void Random_bytes_fill_the_whole_span()
    {
        byte[] bytes = new byte[64];
        _scheduler.FillRandom(bytes);
        Assert.True(bytes.Distinct().Count() > 16);
    }

    private static T Take<T>(BlockingCollection<T> seen)
    {
        Assert.True(seen.TryTake(out T? item, s_patience));
        return item;
    }

    private Task<T> OnCore<T>(Func<Task<T>> body)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _scheduler.Start(async () => result.SetResult(await body().ConfigureAwait(false)));
        return result.Task.WaitAsync(s_patience);
    }
}

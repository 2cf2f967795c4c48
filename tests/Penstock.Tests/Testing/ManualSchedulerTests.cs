using Penstock.Execution;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Testing;

public sealed class ManualSchedulerTests
{
    [Fact]
    public void Work_runs_in_the_order_it_was_posted()
    {
        var scheduler = new ManualScheduler();
        List<int> ran = PostTen(scheduler);
        Assert.Empty(ran);
        scheduler.RunUntilIdle();
        Assert.Equal(Enumerable.Range(0, 10), ran);
    }

    [Fact]
    public void A_seed_gives_its_own_order_every_time()
    {
        List<int> Order(int seed)
        {
            var scheduler = new ManualScheduler(seed);
            List<int> ran = PostTen(scheduler);
            scheduler.RunUntilIdle();
            return ran;
        }

        Assert.Equal(Order(1), Order(1));
        Assert.NotEqual(Order(1), Order(2));
        Assert.Equal(Enumerable.Range(0, 10), Order(1).Order());
    }

    [Fact]
    public void Alarms_go_off_in_the_order_of_their_times_and_move_the_clock()
    {
        var scheduler = new ManualScheduler();
        var rang = new List<string>();
        Alarm late = scheduler.CreateAlarm(_ => rang.Add($"late {scheduler.MonotonicNanoseconds}"), null);
        Alarm early = scheduler.CreateAlarm(_ => rang.Add($"early {scheduler.MonotonicNanoseconds}"), null);
        late.Set(TimeSpan.FromSeconds(2));
        early.Set(TimeSpan.FromSeconds(1));
        scheduler.Advance(TimeSpan.FromSeconds(1.5));
        Assert.Equal(["early 1000000000"], rang);
        scheduler.Advance(TimeSpan.FromSeconds(1.5));
        Assert.Equal(["early 1000000000", "late 2000000000"], rang);
        Assert.Equal(3_000_000_000, scheduler.MonotonicNanoseconds);
    }

    [Fact]
    public void Waiting_for_what_never_happens_is_a_hang()
    {
        var scheduler = new ManualScheduler();
        Assert.Throws<HangException>(() => scheduler.Run(async () => await PooledCompletion<int>.Rent(scheduler).Task));
    }

    [Fact]
    public void Work_for_ever_is_a_hang_too()
    {
        var scheduler = new ManualScheduler();
        Alarm? again = null;
        again = scheduler.CreateAlarm(_ => again!.Set(TimeSpan.FromSeconds(5)), null);
        again.Set(TimeSpan.FromSeconds(5));
        Assert.Throws<HangException>(() => scheduler.Run(async () => await PooledCompletion<int>.Rent(scheduler).Task));
    }

    [Fact]
    public void Places_are_told_apart()
    {
        var scheduler = new ManualScheduler();
        var seen = new List<bool>();
        scheduler.Post(_ => seen.Add(scheduler.MayTouchUserMemory), null);
        scheduler.PostToUser(_ => seen.Add(scheduler.MayTouchUserMemory), null);
        scheduler.RunUntilIdle();
        Assert.Equal([false, true], seen);
        Assert.True(scheduler.MayTouchUserMemory);
    }

    private static List<int> PostTen(ManualScheduler scheduler)
    {
        var ran = new List<int>();
        for (int i = 0; i < 10; i++)
        {
            scheduler.Post(state => ran.Add((int)state!), i);
        }

        return ran;
    }
}

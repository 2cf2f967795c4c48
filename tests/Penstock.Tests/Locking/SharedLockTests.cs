using Penstock.Execution;
using Penstock.Locking;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Locking;

/// <summary>The lock: who is granted, in which order, and where his continuation runs.</summary>
public sealed class SharedLockTests
{
    private readonly ManualScheduler _scheduler = new();
    private readonly List<string> _granted = [];

    [Fact]
    public void A_free_lock_is_granted_at_once()
    {
        SharedLock l = NewLock();
        Assert.True(l.AcquireSharedAsync().IsCompletedSuccessfully);
        Assert.True(l.AcquireSharedAsync().IsCompletedSuccessfully);
        Assert.Equal(2, l.SharedCount);
        l.ReleaseShared();
        l.ReleaseShared();
        Assert.True(l.AcquireExclusiveAsync().IsCompletedSuccessfully);
        Assert.True(l.IsHeldExclusively);
        l.ReleaseExclusive();
        Assert.False(l.IsHeld);
    }

    [Fact]
    public void A_waiter_is_never_overtaken()
    {
        SharedLock l = NewLock();
        Assert.True(l.TryAcquireShared());
        Ask(l, "writer", isExclusive: true);
        Ask(l, "reader", isExclusive: false);
        Assert.False(l.TryAcquireShared());
        _scheduler.RunUntilIdle();
        Assert.Empty(_granted);
        l.ReleaseShared();
        _scheduler.RunUntilIdle();
        Assert.Equal(["writer"], _granted);
        Assert.False(l.TryAcquireShared());
        l.ReleaseExclusive();
        _scheduler.RunUntilIdle();
        Assert.Equal(["writer", "reader"], _granted);
    }

    [Fact]
    public void Waiters_that_share_are_granted_together_up_to_the_next_exclusive_one()
    {
        SharedLock l = NewLock();
        Assert.True(l.TryAcquireExclusive());
        Ask(l, "a", isExclusive: false);
        Ask(l, "b", isExclusive: false);
        Ask(l, "C", isExclusive: true);
        Ask(l, "d", isExclusive: false);
        l.ReleaseExclusive();
        Assert.Equal(2, l.SharedCount);
        _scheduler.RunUntilIdle();
        Assert.Equal(["a", "b"], _granted);
        l.ReleaseShared();
        _scheduler.RunUntilIdle();
        Assert.Equal(2, _granted.Count);
        l.ReleaseShared();
        _scheduler.RunUntilIdle();
        Assert.Equal(["a", "b", "C"], _granted);
        l.ReleaseExclusive();
        _scheduler.RunUntilIdle();
        Assert.Equal(["a", "b", "C", "d"], _granted);
        l.ReleaseShared();
        Assert.False(l.IsHeld);
    }

    [Fact]
    public void A_grant_goes_through_the_scheduler_and_is_counted_before_it_runs()
    {
        SharedLock l = NewLock();
        Assert.True(l.TryAcquireExclusive());
        Ask(l, "next", isExclusive: true);
        l.ReleaseExclusive();
        Assert.Empty(_granted);
        Assert.True(l.IsHeldExclusively);
        Assert.False(l.TryAcquireExclusive());
        Assert.Equal(1, _scheduler.ReadyCount);
        _scheduler.RunUntilIdle();
        Assert.Equal(["next"], _granted);
    }

    [Fact]
    public void A_downgrade_lets_nobody_in_between_and_those_who_share_follow()
    {
        SharedLock l = NewLock();
        Assert.True(l.TryAcquireExclusive());
        Ask(l, "a", isExclusive: false);
        Ask(l, "B", isExclusive: true);
        Ask(l, "c", isExclusive: false);
        l.Downgrade();
        Assert.Equal(2, l.SharedCount);
        _scheduler.RunUntilIdle();
        Assert.Equal(["a"], _granted);
        l.ReleaseShared();
        l.ReleaseShared();
        _scheduler.RunUntilIdle();
        Assert.Equal(["a", "B"], _granted);
    }

    [Fact]
    public void Misuse_throws_and_changes_nothing()
    {
        SharedLock l = NewLock();
        Assert.Throws<InvalidOperationException>(l.ReleaseShared);
        Assert.Throws<InvalidOperationException>(l.ReleaseExclusive);
        Assert.Throws<InvalidOperationException>(l.Downgrade);
        Assert.True(l.TryAcquireShared());
        Assert.Throws<InvalidOperationException>(l.ReleaseExclusive);
        Assert.Throws<InvalidOperationException>(l.ReleaseExclusiveByCompletion);
        Assert.Throws<InvalidOperationException>(l.Downgrade);
        Assert.Equal(1, l.SharedCount);
        l.ReleaseShared();
        Assert.True(l.TryAcquireExclusive());
        Assert.Throws<InvalidOperationException>(l.ReleaseShared);
        Assert.Throws<InvalidOperationException>(l.ReleaseSharedByCompletion);
        Assert.True(l.IsHeldExclusively);
    }

    [Fact]
    public void It_may_be_released_by_another_thread_than_took_it()
    {
        SharedLock l = NewLock();
        Assert.True(l.TryAcquireExclusive());
        var other = new Thread(l.ReleaseExclusive);
        other.Start();
        other.Join();
        Assert.False(l.IsHeld);
    }

    [Fact]
    public void An_uncontended_acquisition_allocates_nothing()
    {
        SharedLock l = NewLock();
        TakeAndGive(l, 100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        TakeAndGive(l, 1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>Random operations against a naive table of holders and a queue: the same grants in the same order.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void It_does_what_a_naive_lock_table_does(int seed)
    {
        var random = new Random(seed);
        SharedLock l = NewLock();
        var model = new NaiveLock();
        int next = 0;
        for (int step = 0; step < 20_000; step++)
        {
            int kind = random.Next(10);
            if (kind < 4 && model.Waiting < 8)
            {
                bool isExclusive = random.Next(3) == 0;
                string name = $"{next++}";

                // A grant at once would run before one that is only posted: order is compared among those that waited.
                _scheduler.RunUntilIdle();
                model.Ask(name, isExclusive);
                Ask(l, name, isExclusive);
            }
            else if (kind == 4)
            {
                bool isExclusive = random.Next(2) == 0;
                Assert.Equal(model.TryTake(isExclusive), isExclusive ? l.TryAcquireExclusive() : l.TryAcquireShared());
            }
            else if (kind == 5 && model.Exclusive)
            {
                model.Downgrade();
                l.Downgrade();
            }
            else if (model.Exclusive)
            {
                model.Release();
                l.ReleaseExclusive();
            }
            else if (model.Shared > 0)
            {
                model.Release();
                l.ReleaseShared();
            }

            if (random.Next(3) == 0)
            {
                _scheduler.RunUntilIdle();
                Assert.Equal(model.Granted, _granted);
                model.Granted.Clear();
                _granted.Clear();
            }

            Assert.True(model.Shared == l.SharedCount && model.Exclusive == l.IsHeldExclusively, $"seed {seed}, step {step}");
        }
    }

    [Fact]
    public async Task Real_threads_never_share_what_one_holds_exclusively()
    {
        ThreadedScheduler scheduler = ThreadedScheduler.CreateForTest();
        scheduler.Recorder = new LockRecorder();
        var l = new SharedLock(scheduler, LockRank.Inode, 1, "stressed");
        int readers = 0;
        int writers = 0;
        int clashes = 0;
        long plain = 0;
        async Task Worker(int seed)
        {
            await Task.Yield();
            var random = new Random(seed);
            for (int i = 0; i < 5_000; i++)
            {
                using OperationScope scope = scheduler.Recorder!.BeginOperation($"worker {seed}");
                if (random.Next(3) == 0)
                {
                    await l.AcquireExclusiveAsync();
                    clashes += Interlocked.Increment(ref writers) != 1 || Volatile.Read(ref readers) != 0 ? 1 : 0;
                    plain++;
                    Interlocked.Decrement(ref writers);
                    if (random.Next(2) == 0)
                    {
                        l.ReleaseExclusive();
                        continue;
                    }

                    l.Downgrade();
                }
                else
                {
                    await l.AcquireSharedAsync();
                }

                Interlocked.Increment(ref readers);
                if (Volatile.Read(ref writers) != 0)
                {
                    Interlocked.Increment(ref clashes);
                }

                Interlocked.Decrement(ref readers);
                l.ReleaseShared();
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 6).Select(Worker)).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, clashes);
        Assert.False(l.IsHeld);
        Assert.Empty(scheduler.Recorder.Violations);
        Assert.InRange(plain, 1, 30_000);
    }

    private static void TakeAndGive(SharedLock l, int count)
    {
        for (int i = 0; i < count; i++)
        {
            _ = l.AcquireSharedAsync().IsCompleted;
            l.ReleaseShared();
            _ = l.AcquireExclusiveAsync().IsCompleted;
            l.Downgrade();
            l.ReleaseShared();
        }
    }

    private SharedLock NewLock() => new(_scheduler, LockRank.Inode, 1, "the lock");

    private async void Ask(SharedLock l, string name, bool isExclusive)
    {
        await (isExclusive ? l.AcquireExclusiveAsync() : l.AcquireSharedAsync()).ConfigureAwait(false);
        _granted.Add(name);
    }
}

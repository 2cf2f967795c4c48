using Penstock.Execution;
using Penstock.Files;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>The edge between core and user: blocking for a result always finishes, and a user's code never runs in a core place unless asked.</summary>
[Collection(nameof(UserOperationTests))]
[CollectionDefinition(nameof(UserOperationTests), DisableParallelization = true)]
public sealed class UserOperationTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly ThreadedScheduler _scheduler = ThreadedScheduler.CreateForTest();

    [Fact]
    public void A_complete_operation_is_handed_on_as_it_is()
    {
        ValueTask<int> carried = UserOperation<int>.Carry(new ValueTask<int>(5), _scheduler);
        Assert.True(carried.IsCompletedSuccessfully);
        Assert.Equal(5, UserOperation<int>.Wait(carried));
        Assert.True(UserOperation<int>.CarryWithoutResult(new ValueTask<int>(5), _scheduler).IsCompletedSuccessfully);
    }

    [Fact]
    public void A_thread_may_block_for_the_result()
    {
        for (int i = 0; i < 200; i++)
        {
            Assert.Equal(i, UserOperation<int>.Wait(UserOperation<int>.Carry(Core(i), _scheduler)));
            Assert.Equal(i, Blocking(UserOperation<int>.Carry(Core(i), _scheduler)));
            Assert.Equal(i, Blocking(new ValueTask<int>(UserOperation<int>.Carry(Core(i), _scheduler).AsTask())));
        }
    }

    [Fact]
    public void Blocking_finishes_even_when_every_thread_of_the_pool_is_blocked()
    {
        // A pool that may not grow out of it.
        ThreadPool.GetMinThreads(out int workers, out _);
        ThreadPool.GetMaxThreads(out int mostBefore, out int others);
        int most = Math.Max(workers, ThreadPool.ThreadCount) + 2;
        Assert.True(ThreadPool.SetMaxThreads(most, others));
        try
        {
            BlockEveryThread(most + 8);
        }
        finally
        {
            ThreadPool.SetMaxThreads(mostBefore, others);
        }
    }

    [Fact]
    public async Task A_users_continuation_runs_in_a_user_place()
    {
        for (int i = 0; i < 50; i++)
        {
            bool isUserPlace = await Continue(UserOperation<int>.Carry(Core(i), _scheduler)).WaitAsync(s_patience);
            Assert.True(isUserPlace);
        }
    }

    [Fact]
    public async Task It_runs_where_the_operation_completed_only_if_he_asked_for_it()
    {
        var release = new SharedEvent(_scheduler);
        async ValueTask<int> Released()
        {
            await release.WaitAsync().ConfigureAwait(false);
            return 1;
        }

        Task<bool> asked = Continue(UserOperation<int>.Carry(Released(), _scheduler, continueInline: true));
        Task<bool> didNot = Continue(UserOperation<int>.Carry(Released(), _scheduler));
        release.Set();
        Assert.False(await asked.WaitAsync(s_patience));
        Assert.True(await didNot.WaitAsync(s_patience));
    }

    [Fact]
    public async Task An_exception_is_carried_to_whoever_awaits_or_blocks()
    {
        async ValueTask<int> Fail()
        {
            await _scheduler.Yield();
            throw new FileSystemException(IoFault.NoSpace);
        }

        FileSystemException awaited = await Assert.ThrowsAsync<FileSystemException>(async () => await UserOperation<int>.Carry(Fail(), _scheduler));
        Assert.Equal(IoFault.NoSpace, awaited.Fault);
        Assert.Throws<FileSystemException>(() => UserOperation<int>.Wait(UserOperation<int>.Carry(Fail(), _scheduler)));
        await Assert.ThrowsAsync<FileSystemException>(async () => await UserOperation<int>.CarryWithoutResult(Fail(), _scheduler));

        // The objects that carried a failure carry the next results.
        Assert.Equal(3, await UserOperation<int>.Carry(Core(3), _scheduler));
        Assert.Equal(4, UserOperation<int>.Wait(UserOperation<int>.Carry(Core(4), _scheduler)));
    }

    [Fact]
    public async Task Recycled_objects_never_mix_results()
    {
        async Task Worker(int number)
        {
            await Task.Yield();
            for (int i = 0; i < 3_000; i++)
            {
                int expected = (number * 1_000_000) + i;
                ValueTask<int> carried = UserOperation<int>.Carry(Core(expected), _scheduler, continueInline: i % 7 == 0);
                int result = i % 3 == 0 ? UserOperation<int>.Wait(carried) : await carried;
                Assert.Equal(expected, result);
                await _scheduler.SwitchToUserPlace();
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 4).Select(Worker)).WaitAsync(s_patience);
    }

    [Fact]
    public void Under_a_scheduler_that_a_test_drives_the_result_comes_through_a_user_place()
    {
        var scheduler = new ManualScheduler();
        async ValueTask<int> Core()
        {
            await scheduler.Yield();
            return 9;
        }

        bool? isUserPlace = null;
        scheduler.Run(async () =>
        {
            Assert.Equal(9, await UserOperation<int>.Carry(Core(), scheduler));
            isUserPlace = scheduler.MayTouchUserMemory;
        });
        Assert.True(isUserPlace);
    }

    private void BlockEveryThread(int count)
    {
        var release = new SharedEvent(_scheduler);
        using var waiting = new CountdownEvent(2);
        using var done = new CountdownEvent(count);
        async ValueTask<int> Released(int result)
        {
            await release.WaitAsync().ConfigureAwait(false);
            await _scheduler.Yield();
            return result;
        }

        int sum = 0;
        for (int i = 0; i < count; i++)
        {
            int mine = i;
            ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    ValueTask<int> carried = UserOperation<int>.Carry(Released(mine), _scheduler);
                    if (!waiting.IsSet)
                    {
                        waiting.Signal();
                    }

                    Interlocked.Add(ref sum, UserOperation<int>.Wait(carried));
                    done.Signal();
                },
                null);
        }

        Assert.True(waiting.Wait(s_patience));
        Thread.Sleep(100);
        release.Set();
        Assert.True(done.Wait(s_patience));
        Assert.Equal(count * (count - 1) / 2, sum);
    }

    private static int Blocking(ValueTask<int> carried) => carried.Result;

    private async ValueTask<int> Core(int result)
    {
        await _scheduler.Yield();
        return result;
    }

    private async Task<bool> Continue(ValueTask<int> carried)
    {
        await carried.ConfigureAwait(false);
        return _scheduler.MayTouchUserMemory;
    }
}

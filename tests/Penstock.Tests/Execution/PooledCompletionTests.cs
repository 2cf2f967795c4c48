using Penstock.Execution;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Execution;

public sealed class PooledCompletionTests
{
    private readonly ManualScheduler _scheduler = new();

    [Fact]
    public void The_continuation_is_posted_and_never_run_inside_Complete()
    {
        int result = 0;
        PooledCompletion<int> completion = PooledCompletion<int>.Rent(_scheduler);
        Await(completion.Task, r => result = r);
        completion.Complete(5);
        Assert.Equal(0, result);
        _scheduler.RunUntilIdle();
        Assert.Equal(5, result);
    }

    [Fact]
    public void Inline_it_runs_at_once()
    {
        int result = 0;
        PooledCompletion<int> completion = PooledCompletion<int>.Rent(_scheduler);
        Await(completion.Task, r => result = r);
        completion.CompleteInline(5);
        Assert.Equal(5, result);
        Assert.Equal(0, _scheduler.ReadyCount);
    }

    [Fact]
    public void Completed_before_it_is_awaited_it_keeps_its_result()
    {
        PooledCompletion<int> completion = PooledCompletion<int>.Rent(_scheduler);
        ValueTask<int> task = completion.Task;
        completion.Complete(7);
        _scheduler.RunUntilIdle();
        Assert.True(task.IsCompletedSuccessfully);
        Assert.Equal(7, _scheduler.Run(async () => await task));
    }

    [Fact]
    public async Task A_task_is_taken_once()
    {
        PooledCompletion<int> completion = PooledCompletion<int>.Rent(_scheduler);
        ValueTask<int> task = completion.Task;
        ValueTask<int> copy = task;
        completion.CompleteInline(7);
        Assert.Equal(7, await task);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await copy);
    }

    [Fact]
    public void In_steady_state_nothing_is_allocated()
    {
        Rounds(200);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Rounds(1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_shared_event_resumes_all_who_wait_and_carries_the_failure()
    {
        var happened = new SharedEvent(_scheduler);
        var seen = new List<string>();
        async Task Wait(string name)
        {
            try
            {
                await happened.WaitAsync();
                seen.Add(name);
            }
            catch (IOException e)
            {
                seen.Add($"{name} {e.Message}");
            }
        }

        Task first = Wait("first");
        Task second = Wait("second");
        happened.Set(new IOException("broke"));
        Assert.Empty(seen);
        _scheduler.RunUntilIdle();
        Task late = Wait("late");
        Assert.True(first.IsCompletedSuccessfully && second.IsCompletedSuccessfully && late.IsCompletedSuccessfully);
        Assert.Equal(["first broke", "second broke", "late broke"], seen);
        Assert.Throws<InvalidOperationException>(() => happened.Set());
    }

    private void Rounds(int count)
    {
        for (int i = 0; i < count; i++)
        {
            PooledCompletion<int> completion = PooledCompletion<int>.Rent(_scheduler);
            ValueTask<int> task = completion.Task;
            completion.CompleteInline(i);
            _ = task.GetAwaiter().GetResult();
        }
    }

    private static async void Await(ValueTask<int> task, Action<int> then) => then(await task.ConfigureAwait(false));
}

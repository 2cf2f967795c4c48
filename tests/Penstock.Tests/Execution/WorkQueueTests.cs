using Penstock.Execution;
using Xunit;

namespace Penstock.Tests.Execution;

public sealed class WorkQueueTests
{
    [Theory]
    [InlineData(10)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(5000)]
    public void It_grows_and_keeps_the_order_wherever_its_head_stands(int count)
    {
        var queue = new WorkQueue();
        for (int turn = 0; turn < 3; turn++)
        {
            // Moves the head, so that growing has to unroll the ring.
            for (int i = 0; i < 100; i++)
            {
                queue.Enqueue(Nothing, i);
                queue.Dequeue(out _, out _);
            }

            for (int i = 0; i < count; i++)
            {
                queue.Enqueue(Nothing, i);
            }

            for (int i = 0; i < count; i++)
            {
                queue.Dequeue(out _, out object? state);
                Assert.Equal(i, state);
            }
        }
    }

    [Fact]
    public void Sleepers_are_woken_and_nothing_is_lost_or_doubled()
    {
        var queue = new WorkQueue();
        int[] seen = new int[20_000];
        Thread[] workers = [.. Enumerable.Range(0, 3).Select(number => new Thread(() =>
        {
            while (true)
            {
                queue.Dequeue(out _, out object? state);
                if (state is not int i)
                {
                    return;
                }

                Interlocked.Increment(ref seen[i]);
            }
        }) { Name = $"worker {number}" })];
        Array.ForEach(workers, w => w.Start());
        Thread[] feeders = [.. Enumerable.Range(0, 2).Select(half => new Thread(() =>
        {
            for (int i = half; i < seen.Length; i += 2)
            {
                queue.Enqueue(Nothing, i);
            }
        }))];
        Array.ForEach(feeders, f => f.Start());
        Array.ForEach(feeders, f => f.Join());
        Array.ForEach(workers, _ => queue.Enqueue(Nothing, null));
        Array.ForEach(workers, w => Assert.True(w.Join(TimeSpan.FromSeconds(20))));
        Assert.All(seen, n => Assert.Equal(1, n));
    }

    private static void Nothing(object? state)
    {
    }
}

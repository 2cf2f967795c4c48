using System.Runtime.CompilerServices;
using Penstock.Execution;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Execution;

public sealed class PooledValueTaskBuilderTests
{
    private readonly ManualScheduler _scheduler = new();

    [Fact]
    public void Methods_that_wait_allocate_nothing_in_steady_state()
    {
        Rounds(200);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Rounds(1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private void Rounds(int count)
    {
        for (int i = 0; i < count; i++)
        {
            PooledCompletion<Happened> happened = PooledCompletion<Happened>.Rent(_scheduler);
            ValueTask<int> outer = OuterAsync(happened.Task);
            Assert.False(outer.IsCompleted);
            happened.CompleteInline(new Happened(i));
            Assert.True(outer.IsCompletedSuccessfully);
            Assert.True(outer.GetAwaiter().GetResult() == i + 2);
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<int> OuterAsync(ValueTask<Happened> happened) => await InnerAsync(happened).ConfigureAwait(false) + 1;

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<int> InnerAsync(ValueTask<Happened> happened) => (await happened.ConfigureAwait(false)).Number + 1;

    /// <summary>A type of this test's own, and so a pool that no other test draws from.</summary>
    private readonly record struct Happened(int Number);
}

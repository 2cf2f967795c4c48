using Penstock.Execution;
using Xunit;

namespace Penstock.Tests.Execution;

/// <summary>What a reaping thread runs of the core's itself, at the end of its round.</summary>
public sealed class CoreRowTests
{
    [Fact]
    public void It_takes_no_more_while_it_runs_or_is_full_so_a_round_ends()
    {
        var row = new CoreRow();
        int ran = 0;
        int added = 0;
        while (row.TryAdd(
            _ =>
            {
                ran++;
                Assert.False(row.TryAdd(static _ => { }, null));
            },
            null))
        {
            added++;
        }

        Assert.InRange(added, 1, 1000);
        Assert.False(row.IsEmpty);
        row.Run();
        Assert.Equal(added, ran);
        Assert.True(row.IsEmpty);
        Assert.True(row.TryAdd(static _ => { }, null));
    }
}

using Penstock.Testing.Exploration;
using Xunit;

namespace Penstock.Tests.Exploration;

/// <summary>The locking primitives alone, in every order of their steps with a few preemptions; and broken in one place each, which must be noticed.</summary>
public sealed class ExplorationTests
{
    private static readonly Lazy<Explorer> s_explorer = new(static () => new Explorer());

    /// <summary>What makes no difference to anybody, and why.</summary>
    private static readonly Dictionary<string, string> s_harmless = new(StringComparer.Ordinal)
    {
        ["CompletionCore.Reset: _state is not stored"] = "lets go of an object; the next use stores its own",
        ["CompletionCore.Reset: _result is not stored"] = "the same",
        ["CompletionCore.Reset: _failure is not stored"] = "the same, where nothing fails",
        ["CompletionCore.Reset: _version is not stored"] = "finds tasks that are used after their end, and there are none",
        ["PooledCompletion.TakeResult: _scheduler is not stored"] = "lets go of an object",
        ["PooledCompletion.Resume: _result is not stored"] = "the same",
        ["CommitQueue.Rest: _idle is not stored"] = "lets go of an object; who waits for idleness closes, and nothing begins after that",
        ["DirectIoRequest.Return: _device is not stored"] = "lets go of an object",
        ["DirectIoRequest.Return: _memory is not stored"] = "the same",
        ["PageWindow.LetGo: _owner is not stored"] = "lets go of an object; no address is there without an owner",
        ["RowWatch.Run: _isAwake is not stored"] = "a wake-up more than need be",
        ["RowWatch.Wake: _isAwake is not stored"] = "the watch sees the row that runs in any case",
        ["SharedDuty.Rest: _rest is not stored"] = "how long a row rests, not whether",
        ["SharedDuty.WaitToTake: _waiting is not stored"] = "a stand-in more than need be, where it counts up",
        ["WorkQueue.Dequeue: _sleepers is not stored"] = "a pulse more than need be, where it counts down",
        ["UserOperation.Begin: _continuesInline is not stored"] = "it is false here, as in a new object",
        ["UserOperation.Publish: _inner is not stored"] = "lets go of an object",
    };

    public static TheoryData<string> Names => [.. Scenarios.All.Keys];

    private static bool IsLong => Environment.GetEnvironmentVariable("PENSTOCK_LONG") == "1";

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_order_of_steps_is_right(string scenario)
    {
        Assert.Equal((null, true), Explore(scenario, preemptions: 1, mostExecutions: 10_000));
        (string? failure, _) = IsLong ? Explore(scenario, preemptions: 3, mostExecutions: 300_000) : Explore(scenario, preemptions: 2, mostExecutions: 6000);
        Assert.Null(failure);
    }

    [Fact]
    public void Every_planted_fault_is_found()
    {
        Explorer explorer = s_explorer.Value;
        var reachedBy = Scenarios.All.Keys.ToDictionary(static s => s, s =>
        {
            bool[] reached = new bool[explorer.Faults.Count];
            explorer.Explore(s, preemptions: 1, mostExecutions: 2000, reached: reached);
            return reached;
        });
        var lines = new List<string>();
        for (int site = 0; site < explorer.Faults.Count; site++)
        {
            if (explorer.Faults[site] is not { } fault || s_harmless.ContainsKey(fault))
            {
                continue;
            }

            string[] scenarios = [.. reachedBy.Where(r => r.Value[site]).Select(static r => r.Key)];
            bool isFound = scenarios.Any(s => explorer.Explore(s, preemptions: 2, mostExecutions: 2000, brokenSite: site).Failure is not null);
            lines.Add($"{(scenarios.Length == 0 ? "NOT REACHED" : isFound ? "found" : "SURVIVES")} {fault}");
        }

        foreach (string line in lines)
        {
            TestContext.Current.TestOutputHelper?.WriteLine(line);
        }

        Assert.True(lines.Count > 80, $"{lines.Count} faults were planted");
        Assert.DoesNotContain(lines, static l => !l.StartsWith("found", StringComparison.Ordinal));
    }

    private static (string? Failure, bool IsExhausted) Explore(string scenario, int preemptions, int mostExecutions)
    {
        Penstock.Testing.Exploration.Exploration found = s_explorer.Value.Explore(scenario, preemptions, mostExecutions);
        TestContext.Current.TestOutputHelper?.WriteLine($"{preemptions} preemptions: {found}");
        return (found.Failure, found.IsExhausted);
    }
}

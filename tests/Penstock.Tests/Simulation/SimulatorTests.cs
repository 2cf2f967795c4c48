using Penstock.Execution;
using Penstock.Simulation;
using Penstock.Simulation.Crash;
using Penstock.Simulation.Running;
using Penstock.Simulation.Scenarios;
using Xunit;

namespace Penstock.Tests.Simulation;

/// <summary>A few seeds of everything. The simulator's own suite, a step of its own in the tests, runs many, and looks for every mutant.</summary>
public sealed class SimulatorTests
{
    private const int SeedsForEach = 25;

    public static TheoryData<string> Scenarios => [.. AllScenarios.InOrder.Select(s => s.Name)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void The_core_breaks_no_rule(string name)
    {
        Scenario scenario = AllScenarios.Find(name)!;
        for (ulong seed = 1; seed <= SeedsForEach; seed++)
        {
            RunResult result = Run.Execute(Simulator.PlanOf(scenario, seed), Simulator.OrderOf(seed));
            Assert.True(result.Violation is null, $"./penstock simulate --scenario {name} --seed {seed} --seeds 1: {result.Violation}");
        }
    }

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void The_same_seed_is_the_same_run(string name)
    {
        Scenario scenario = AllScenarios.Find(name)!;
        for (ulong seed = 1; seed <= 5; seed++)
        {
            ulong first = Run.Execute(Simulator.PlanOf(scenario, seed), Simulator.OrderOf(seed)).TraceHash;
            ulong second = Run.Execute(Simulator.PlanOf(scenario, seed), Simulator.OrderOf(seed), keepsLines: true).TraceHash;
            Assert.Equal(first, second);
        }
    }

    [Fact]
    public void Every_rule_has_a_mutant()
    {
        // Two rules stand behind each other, and only both together are missed: a truncate's zeroed tail, and the gap. The third hides in the wait
        // of a writeback whose start fails, of which no caller can see more than that it fails.
        // Freed data is revoked for the sake of files beside it whose data is not in the log, of which the crash test has none (DataModeTests).
        // That data which the device refuses is not led to is a matter of faults: the sweep of them, and LogJournalTests.
        // Of the rest no client can see more than time, or they are of files that the simulator has none of: the tests named after them miss them (docs/RULES.md).
        Rule[] exempt =
        [
            Rule.None,
            Rule.TailIsZeroed,
            Rule.WritebackAlwaysWaits,
            Rule.ChangedNamesAreForgotten,
            Rule.FreedDataIsRevoked,
            Rule.RefusedDataEndsCommits,
            Rule.CleanFileNeedsNoWait,
            Rule.DirectReadKeepsPages,
            Rule.OnlyRangeIsFlushed,
            Rule.SelfProtectedTakesNoLock,
            Rule.LockingChosenOnce,
            Rule.MapperDecidesAllocation,
            Rule.OwnDirectIoIsFramed,
            Rule.SizeSampledBefore,
        ];
        Rule[] alone = [.. AllMutants.InOrder.Concat(CrashMutants.InOrder).Where(m => m.Rules.Length == 1).Select(m => m.Rules[0])];
        Assert.Empty(Enum.GetValues<Rule>().Except(exempt).Except(alone));
    }

    [Fact]
    public void A_violation_is_shrunk_and_replayed()
    {
        SimulateOptions options = SimulateOptions.Parse(["--seeds", "40", "--mutant", "invalidate-after-write", "--scenario", "buffered-read-async-write"]);
        var simulator = new Simulator(options);
        Finding? first = null;
        simulator.RunAll(found => first ??= found);
        Assert.NotNull(first);
        Assert.InRange(first.Shrunk!.Operations.Count, 1, 6);
        Assert.NotNull(Run.Execute(first.Shrunk, first.ShrunkOrder, first.Mutant!.Broken).Violation);
        Assert.Null(Run.Execute(first.Shrunk, first.ShrunkOrder).Violation);
        Assert.NotEmpty(first.Timeline);
    }

    [Theory]
    [InlineData("--seeds", "0")]
    [InlineData("--seeds", "1", "--scenario", "none")]
    [InlineData("--seeds", "1", "--mutant", "none")]
    [InlineData("--seed", "1")]
    [InlineData("--nonsense")]
    [InlineData("--seeds")]
    public void A_command_line_without_sense_is_refused(params string[] arguments) =>
        Assert.Throws<UsageException>(() => SimulateOptions.Parse(arguments));
}

using Penstock.Simulation;
using Penstock.Simulation.Crash;
using Penstock.Simulation.Crash.Judging;
using Penstock.Simulation.Crash.Workloads;
using Xunit;

namespace Penstock.Tests.Simulation;

/// <summary>A few crash states of every workload. The crash test's own suite, a step of its own in the tests, judges thousands, and looks for every mutant.</summary>
public sealed class CrashTestTests
{
    public static TheoryData<string> Workloads => [.. AllWorkloads.InOrder.Select(w => w.Name)];

    [Theory]
    [MemberData(nameof(Workloads))]
    public void Nothing_that_was_promised_is_lost(string name)
    {
        using var judges = new OutsideJudges();
        Assert.SkipWhen(judges.E2fsck is null, "e2fsck is not there");
        for (ulong seed = 1; seed <= 2; seed++)
        {
            CrashFinding? finding = CrashRun.Execute(Plan(name, seed), new CrashTally(), judges);
            Assert.True(finding is null, $"{finding?.Replay}: {finding?.Problem}");
        }
    }

    [Theory]
    [MemberData(nameof(Workloads))]
    public void The_same_seed_is_the_same_run(string name)
    {
        var first = new CrashTally();
        var second = new CrashTally();
        using var judges = new OutsideJudges();
        CrashRun.Execute(Plan(name, 3), first, judges, out int requests);
        CrashRun.Execute(Plan(name, 3) with { KeepsLines = true }, second, judges, out int again);
        Assert.Equal((requests, first.Points, first.States, first.Distinct, first.Contents), (again, second.Points, second.States, second.Distinct, second.Contents));
        Assert.True(first.States > 0);
    }

    [Fact]
    public void A_violation_is_seen_again_by_its_replay()
    {
        Mutant mutant = CrashMutants.Find("sync-flushes-device")!;
        CrashTest test = CrashSuite.Hunt(mutant);
        CrashFinding finding = Assert.Single(test.Findings);
        Assert.NotEmpty(finding.Log);
        Assert.NotEmpty(finding.Fates);
        CrashOptions options = CrashOptions.Parse(finding.Replay.Split(' ')[2..]);
        var replay = new CrashTest(options);
        replay.Run();
        Assert.Equal(finding.Problem, Assert.Single(replay.Findings).Problem);
    }

    [Theory]
    [InlineData("--states", "0")]
    [InlineData("--workload", "none")]
    [InlineData("--mutant", "none")]
    [InlineData("--at", "3")]
    [InlineData("--nonsense")]
    [InlineData("--seed", "x")]
    public void A_command_line_without_sense_is_refused(params string[] arguments) =>
        Assert.Throws<UsageException>(() => CrashOptions.Parse(arguments));

    private static CrashPlan Plan(string name, ulong seed) =>
        new(AllWorkloads.Find(name)!, seed) { PointShare = 9, StatesPerPoint = 1, OutsideShare = 20 };
}

using Penstock.Simulation;
using Penstock.Simulation.Running;
using Penstock.Simulation.Scenarios;
using Xunit;

namespace Penstock.Tests.Simulation;

/// <summary>The simulator finds nothing in the core, and every mutant; long runs of it are a step of their own.</summary>
public sealed class SimulatorTests
{
    private const int SeedsForEach = 25;
    private const int SeedsForMutants = 4000;

    public static TheoryData<string> Scenarios => [.. AllScenarios.InOrder.Select(s => s.Name)];

    public static TheoryData<string> Mutants => [.. AllMutants.InOrder.Select(m => m.Name)];

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
    [MemberData(nameof(Mutants))]
    public void A_rule_that_is_off_is_missed(string name)
    {
        MutantCatch found = MutantHunt.Run(AllMutants.Find(name)!, SeedsForMutants);
        Assert.True(found.Violation is not null, $"{name} was not found in {found.Seeds} seeds");
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

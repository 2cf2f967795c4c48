using System.Diagnostics;
using Penstock.Simulation.Running;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation;

/// <summary>Looks for a mutant: seeds of the scenarios that look for it, in turns, until a violation is found or too many have gone by.</summary>
internal static class MutantHunt
{
    public static MutantCatch Run(Mutant mutant, int mostSeeds, ulong firstSeed = 1)
    {
        var watch = Stopwatch.StartNew();
        Scenario[] scenarios = [.. mutant.Scenarios.Select(static n => AllScenarios.Find(n)!)];
        for (int i = 0; i < mostSeeds; i++)
        {
            Scenario scenario = scenarios[i % scenarios.Length];
            ulong seed = firstSeed + (ulong)i;
            RunResult result = Running.Run.Execute(Simulator.PlanOf(scenario, seed), Simulator.OrderOf(seed), mutant.Broken);
            if (result.Violation is { } violation)
            {
                return new MutantCatch(mutant, scenario, seed, i + 1, watch.Elapsed, violation);
            }
        }

        return new MutantCatch(mutant, null, 0, mostSeeds, watch.Elapsed, null);
    }
}

/// <summary>How a mutant was found, or that it was not.</summary>
internal sealed record MutantCatch(Mutant Mutant, Scenario? Scenario, ulong Seed, int Seeds, TimeSpan Time, string? Violation);

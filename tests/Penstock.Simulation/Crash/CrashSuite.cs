using System.Diagnostics;
using Penstock.Simulation.Crash.Judging;
using Penstock.Simulation.Crash.Workloads;

namespace Penstock.Simulation.Crash;

/// <summary>What the tests run: crash states of every workload, a fault of the device at each request, and every mutant.</summary>
internal sealed class CrashSuite(bool isLong)
{
    private const int MutantRuns = 60;

    private static readonly string[] s_swept = ["replace", "append-dsync", "truncate-rewrite", "link-storm", "attributes", "error-reports", "data-overwrite"];

    private readonly int _states = isLong ? 100_000 : 10_000;
    private readonly ulong _sweptSeeds = isLong ? 5UL : 1UL;
    private int _passed;
    private int _failed;

    public int Run()
    {
        Part("crash states", RunStates);
        Part("device faults", SweepFaults);
        Part("mutants", HuntMutants);
        Console.WriteLine($"crash: {_passed} passed, {_failed} failed");
        return _failed == 0 ? 0 : 1;
    }

    /// <summary>Looks for a mutant; null if it was not found.</summary>
    public static CrashTest Hunt(Mutant mutant)
    {
        var test = new CrashTest(CrashOptions.Parse(["--mutant", mutant.Name, "--states", $"{int.MaxValue}"])) { MostRuns = MutantRuns, MostFindings = 1 };
        test.Run();
        return test;
    }

    private static void Part(string name, Func<string> run)
    {
        var watch = Stopwatch.StartNew();
        string outcome = run();
        Console.WriteLine($"crash: {name}: {outcome} ({watch.Elapsed.TotalSeconds:0} s)");
    }

    private string RunStates()
    {
        var test = new CrashTest(CrashOptions.Parse(["--states", $"{_states}"]));
        test.Run(CrashReport.Print);
        Count(test.Findings.Count == 0, null);
        Count(test.Tally.Contents >= _states, $"only {test.Tally.Contents} different contents were recovered");
        return $"{test.Tally.States} recovered, {test.Tally.Contents} different contents ({test.Tally.Distinct} volumes), {test.Tally.Outside} judged by others too";
    }

    private string SweepFaults()
    {
        using var judges = new OutsideJudges();
        var tally = new CrashTally();
        int faults = 0;
        foreach (string name in s_swept)
        {
            for (ulong seed = 1; seed <= _sweptSeeds; seed++)
            {
                (CrashFinding? finding, int swept) = FaultSweep.Run(AllWorkloads.Find(name)!, seed, tally, judges);
                faults += swept;
                Count(finding is null, null);
                if (finding is not null)
                {
                    CrashReport.Print(finding);
                }
            }
        }

        return $"{faults} requests failed, one in each run, {tally.States} states recovered";
    }

    private string HuntMutants()
    {
        long most = 0;
        foreach (Mutant mutant in CrashMutants.InOrder)
        {
            CrashTest test = Hunt(mutant);
            most = Math.Max(most, test.Runs);
            Count(test.Findings.Count > 0, $"the mutant {mutant.Name} was not found in {test.Runs} runs");
            foreach (CrashFinding finding in test.Findings.Where(static f => f.IsOfWholeBuild))
            {
                Count(false, $"looking for {mutant.Name}, {finding.Replay}: {finding.Problem}");
            }
        }

        return $"all {CrashMutants.InOrder.Count} looked for, the shyest in {most} runs";
    }

    private void Count(bool isGood, string? problem)
    {
        if (isGood)
        {
            _passed++;
            return;
        }

        _failed++;
        if (problem is not null)
        {
            Console.WriteLine($"crash: FAILED: {problem}");
        }
    }
}

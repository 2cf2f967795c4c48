using System.Diagnostics;
using Penstock.Execution;
using Penstock.Locking;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Threads;

/// <summary>Runs seeds with real threads until enough operations were carried out, or something is wrong.</summary>
internal sealed class RaceTest(RaceOptions options)
{
    private const int RecordedShare = 4;

    public int Seeds { get; private set; }

    public long Operations { get; private set; }

    public TimeSpan Elapsed { get; private set; }

    /// <summary>What was wrong and how to look for it again; null if nothing was.</summary>
    public string? Finding { get; private set; }

    public void Run()
    {
        var watch = Stopwatch.StartNew();
        ThreadedScheduler scheduler = ThreadedScheduler.CreateForTest();
        scheduler.BrokenRules = options.Mutant?.Broken ?? default;
        string path = Path.Combine(Path.GetTempPath(), $"penstock-race-{Environment.ProcessId}.img");
        for (ulong seed = options.FirstSeed; Operations < options.Operations && Finding is null; seed++)
        {
            RacePlan plan = RacePlan.Of(seed, options.Scenario, options.Device);
            scheduler.Recorder = seed % RecordedShare == 0 ? new LockRecorder() : null;
            (string? violation, long operations) = RaceRun.Execute(plan, scheduler, path);
            Seeds++;
            Operations += operations;
            Finding = violation is null ? null : Describe(plan, violation);
        }

        Elapsed = watch.Elapsed;
    }

    private string Describe(RacePlan plan, string violation)
    {
        string scenario = options.Scenario is null ? "" : $" --scenario {options.Scenario.Name}";
        string mutant = options.Mutant is null ? "" : $" --mutant {options.Mutant.Name}";
        return $"VIOLATION in {plan.Scenario?.Name ?? "a crowd"} on {plan.Plan.Shape.Name}, device {plan.Device}, seed {plan.Seed}: {violation}\n"
            + $"  the same operations again, in whatever order they come: ./penstock race-test --seed {plan.Seed} --operations 1{scenario} --device {plan.Device.ToString().ToLowerInvariant()}{mutant}";
    }
}

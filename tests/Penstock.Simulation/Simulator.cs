using System.Diagnostics;
using Penstock.Execution;
using Penstock.Simulation.Execution;
using Penstock.Simulation.Running;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation;

/// <summary>Runs seeds, and makes what fails small enough to be read.</summary>
internal sealed class Simulator(SimulateOptions options)
{
    private const int MostFindings = 10;
    private const int RunsToShrink = 10_000;

    public List<Finding> Findings { get; } = [];

    public long Operations { get; private set; }

    public int Seeds { get; private set; }

    public ulong TraceHash { get; private set; }

    public TimeSpan Elapsed { get; private set; }

    private RuleSet Broken => options.Mutant?.Broken ?? default;

    /// <summary>The order that belongs to a seed.</summary>
    public static ulong OrderOf(ulong seed) => Chance.Mix(seed, 7) >> 16;

    /// <summary>The plan that a seed draws.</summary>
    public static Plan PlanOf(Scenario scenario, ulong seed) => scenario.Draw(new Chance(Chance.Mix(seed, 3)));

    public void RunAll(Action<Finding>? found = null)
    {
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < options.Seeds && Findings.Count < MostFindings; i++)
        {
            ulong seed = options.FirstSeed + (ulong)i;
            RunOne(seed, found);
        }

        Elapsed = watch.Elapsed;
    }

    private void RunOne(ulong seed, Action<Finding>? found)
    {
        Scenario scenario = options.Scenario ?? ChooseFor(seed);
        Plan plan = PlanOf(scenario, seed);
        if (options.Only is { } only)
        {
            plan = plan with { Operations = [.. plan.Operations.Where(o => only.Contains(o.Id))] };
        }

        ulong order = options.Order ?? OrderOf(seed);
        RunResult result = Run.Execute(plan, order, Broken, options.ShowsTimeline);
        Seeds++;
        Operations += result.Operations;
        TraceHash = Chance.Mix(TraceHash, result.TraceHash);
        if (options.ShowsTimeline && !options.IsJson)
        {
            Console.WriteLine(string.Join('\n', result.Lines));
        }

        if (result.Violation is null)
        {
            return;
        }

        var finding = new Finding(scenario, seed, options.Mutant, options.Only is null && options.Order is null ? null : plan, order, result.Violation);
        if (options.Shrinks && options.Only is null)
        {
            (Plan small, ulong smallOrder) = new Shrinker(plan, Broken, RunsToShrink).Shrink(order);
            RunResult replayed = Run.Execute(small, smallOrder, Broken, keepsLines: true);
            finding = finding with { Shrunk = small, ShrunkOrder = smallOrder, Timeline = replayed.Lines, Violation = replayed.Violation ?? result.Violation };
        }

        Findings.Add(finding);
        found?.Invoke(finding);
    }

    private Scenario ChooseFor(ulong seed)
    {
        IReadOnlyList<Scenario> all = options.Mutant is { } mutant
            ? [.. mutant.Scenarios.Select(n => AllScenarios.Find(n)!)]
            : AllScenarios.InOrder;
        return all[(int)(seed % (ulong)all.Count)];
    }
}

/// <summary>A violation, and how to see it again.</summary>
internal sealed record Finding(Scenario Scenario, ulong Seed, Mutant? Mutant, Plan? Cut, ulong Order, string Violation)
{
    public Plan? Shrunk { get; init; }

    public ulong ShrunkOrder { get; init; }

    public IReadOnlyList<string> Timeline { get; init; } = [];

    /// <summary>The command that runs it again.</summary>
    public string Replay => Command + (Cut is null ? "" : Choice(Cut, Order));

    /// <summary>The command that runs the fewest operations that fail, and tells everything.</summary>
    public string? ShrunkReplay => Shrunk is null ? null : $"{Command}{Choice(Shrunk, ShrunkOrder)} --timeline";

    private string Command => $"./penstock simulate --scenario {Scenario.Name}{(Mutant is null ? "" : $" --mutant {Mutant.Name}")} --seed {Seed} --seeds 1";

    private static string Choice(Plan plan, ulong order) => $" --only {string.Join(',', plan.Operations.Select(static o => o.Id))} --order {order}";
}

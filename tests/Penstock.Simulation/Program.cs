using System.Globalization;
using Penstock.Simulation;
using Penstock.Simulation.Scenarios;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
SimulateOptions options;
try
{
    options = SimulateOptions.Parse(args);
}
catch (UsageException e)
{
    Console.Error.WriteLine($"penstock: simulate: {e.Message}");
    return 2;
}

if (options.WantsHelp)
{
    Console.WriteLine(SimulateOptions.Help);
    return 0;
}

if (options.ListsScenarios)
{
    foreach (Scenario scenario in AllScenarios.InOrder)
    {
        Console.WriteLine($"{scenario.Name,-32} {scenario.About}");
    }
}

if (options.ListsMutants)
{
    foreach (Mutant mutant in AllMutants.InOrder)
    {
        Console.WriteLine($"{mutant.Name,-40} {mutant.About}");
    }
}

if (options.ListsScenarios || options.ListsMutants)
{
    return 0;
}

if (options.RunsSuite)
{
    return new Suite(options.IsLong).Run();
}

if (options.HuntsMutants)
{
    bool hasAll = true;
    foreach (Mutant mutant in AllMutants.InOrder)
    {
        MutantCatch found = MutantHunt.Run(mutant, options.Seeds);
        hasAll &= found.Violation is not null;
        string how = found.Scenario is null ? "NOT FOUND" : found.Scenario.Name;
        string what = found.Violation?.Split('\n')[0] ?? "";
        Console.WriteLine($"| {mutant.Name,-38} | {how,-24} | {found.Seeds,6} | {found.Time.TotalSeconds,6:0.00} | {what[..Math.Min(what.Length, 150)]}");
    }

    return hasAll ? 0 : 1;
}

var simulator = new Simulator(options);
simulator.RunAll(options.IsJson ? null : Report.Print);
if (options.IsJson)
{
    Report.PrintJson(simulator);
}
else
{
    Report.PrintSummary(simulator);
}

return simulator.Findings.Count == 0 ? 0 : 1;

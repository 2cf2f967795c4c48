using System.Globalization;
using Penstock.Simulation;
using Penstock.Simulation.Crash;
using Penstock.Simulation.Scenarios;
using Penstock.Simulation.Threads;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["crash-test", ..])
{
    return CrashCommand.Run(args[1..]);
}

if (args is ["race-test", ..])
{
    return RaceCommand.Run(args[1..]);
}

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
    Console.WriteLine("| Mutant | What it does wrong | Found by | Seeds | Seconds |");
    Console.WriteLine("|---|---|---|--:|--:|");
    foreach (Mutant mutant in AllMutants.InOrder)
    {
        MutantCatch found = MutantHunt.Run(mutant, options.Seeds);
        hasAll &= found.Violation is not null;
        string how = found.Scenario is null ? "**not found**" : found.Scenario.Name;
        Console.WriteLine($"| {mutant.Name} | {mutant.About} | {how} | {found.Seeds} | {found.Time.TotalSeconds:0.00} |");
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

namespace Penstock.Simulation.Threads;

/// <summary><c>penstock race-test</c>.</summary>
internal static class RaceCommand
{
    private const int Usage = 2;

    public static int Run(IReadOnlyList<string> arguments)
    {
        RaceOptions options;
        try
        {
            options = RaceOptions.Parse(arguments);
        }
        catch (UsageException e)
        {
            Console.Error.WriteLine($"penstock: race-test: {e.Message}");
            return Usage;
        }

        if (options.WantsHelp)
        {
            Console.WriteLine(RaceOptions.Help);
            return 0;
        }

        if (options.ListsMutants)
        {
            foreach (string name in RaceHunt.Sure)
            {
                Console.WriteLine($"{name,-40} {AllMutants.Find(name)!.About}");
            }

            return 0;
        }

        if (options.RunsSuite)
        {
            return new RaceSuite(options.IsLong).Run();
        }

        if (options.HuntsMutants)
        {
            return HuntMutants(options.Operations);
        }

        var test = new RaceTest(options);
        test.Run();
        if (test.Finding is { } finding)
        {
            Console.WriteLine(finding);
        }

        Console.WriteLine(
            $"{test.Seeds} seeds from {options.FirstSeed} on, {test.Operations} operations in {test.Elapsed.TotalSeconds:0.0} s "
            + $"({test.Operations / Math.Max(test.Elapsed.TotalSeconds, 1e-3):0}/s): {(test.Finding is null ? "nothing found" : "a violation found")}");
        return test.Finding is null ? 0 : 1;
    }

    private static int HuntMutants(long operations)
    {
        Console.WriteLine("| Mutant | Found by threads | Seconds | What was seen |");
        Console.WriteLine("|---|---|--:|---|");
        foreach (Mutant mutant in AllMutants.InOrder)
        {
            (bool isFound, double seconds, string what) = RaceHunt.Run(mutant, operations);
            Console.WriteLine($"| {mutant.Name} | {(isFound ? "yes" : "no")} | {seconds:0.0} | {(isFound ? what : "")} |");
        }

        return 0;
    }
}

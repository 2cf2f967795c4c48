using System.Diagnostics;

namespace Penstock.Simulation.Threads;

/// <summary>What the tests run: crowds and scenarios on every device, and the mutants that real threads find.</summary>
internal sealed class RaceSuite(bool isLong)
{
    private const long MutantOperations = 200_000;

    private readonly long _operations = isLong ? 1_500_000 : 40_000;
    private int _passed;
    private int _failed;

    public int Run()
    {
        Part("crowds and scenarios", RunSeeds);
        Part("mutants", HuntMutants);
        Console.WriteLine($"races: {_passed} passed, {_failed} failed");
        return _failed == 0 ? 0 : 1;
    }

    private static void Part(string name, Func<string> run)
    {
        var watch = Stopwatch.StartNew();
        string outcome = run();
        Console.WriteLine($"races: {name}: {outcome} ({watch.Elapsed.TotalSeconds:0} s)");
    }

    private string RunSeeds()
    {
        RaceOptions options = RaceOptions.Parse(["--operations", $"{_operations}"]);
        var test = new RaceTest(options);
        test.Run();
        Count(test.Finding is null, test.Finding);
        return $"{test.Seeds} seeds from {options.FirstSeed} on, {test.Operations} operations";
    }

    private string HuntMutants()
    {
        foreach (string name in RaceHunt.Sure)
        {
            (bool isFound, _, string what) = RaceHunt.Run(AllMutants.Find(name)!, MutantOperations);
            Count(isFound, $"the mutant {name} was not found: {what}");
        }

        return $"all {RaceHunt.Sure.Count} looked for";
    }

    private void Count(bool isGood, string? problem)
    {
        if (isGood)
        {
            _passed++;
            return;
        }

        _failed++;
        Console.WriteLine($"races: FAILED: {problem}");
    }
}

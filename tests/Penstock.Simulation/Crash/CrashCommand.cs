using Penstock.Simulation.Crash.Judging;
using Penstock.Simulation.Crash.Workloads;

namespace Penstock.Simulation.Crash;

/// <summary><c>penstock crash-test</c>.</summary>
internal static class CrashCommand
{
    private const int Usage = 2;

    public static int Run(IReadOnlyList<string> arguments)
    {
        CrashOptions options;
        try
        {
            options = CrashOptions.Parse(arguments);
        }
        catch (UsageException e)
        {
            Console.Error.WriteLine($"penstock: crash-test: {e.Message}");
            return Usage;
        }

        if (options.WantsHelp)
        {
            Console.WriteLine(CrashOptions.Help);
            return 0;
        }

        if (options.ListsWorkloads || options.ListsMutants)
        {
            foreach ((string name, string about) in options.ListsWorkloads
                ? AllWorkloads.InOrder.Select(static w => (w.Name, w.About))
                : CrashMutants.InOrder.Select(static m => (m.Name, m.About)))
            {
                Console.WriteLine($"{name,-32} {about}");
            }

            return 0;
        }

        using (E2fsck? e2fsck = E2fsck.TryFind())
        {
            if (e2fsck is null)
            {
                Console.Error.WriteLine("penstock: crash-test: e2fsck repairs volumes without a journal and judges the others, but is not there; install e2fsprogs");
                return Usage;
            }
        }

        if (options.RunsSuite)
        {
            return new CrashSuite(options.IsLong).Run();
        }

        if (options.HuntsMutants)
        {
            return HuntMutants();
        }

        var test = new CrashTest(options);
        test.Run(options.IsJson ? null : CrashReport.Print);
        if (options.IsJson)
        {
            CrashReport.PrintJson(test);
        }
        else
        {
            CrashReport.PrintSummary(test);
        }

        return test.Findings.Count == 0 ? 0 : 1;
    }

    private static int HuntMutants()
    {
        bool hasAll = true;
        Console.WriteLine("| Mutant | What it does wrong | Found by | Runs | Seconds |");
        Console.WriteLine("|---|---|---|--:|--:|");
        foreach (Mutant mutant in CrashMutants.InOrder)
        {
            CrashTest test = CrashSuite.Hunt(mutant);
            hasAll &= test.Findings is [{ IsOfWholeBuild: false }];
            string how = test.Findings is [var found] ? $"{found.Plan.Workload.Name}: {(found.IsOfWholeBuild ? "**found without it too**" : found.Problem)}" : "**not found**";
            Console.WriteLine($"| {mutant.Name} | {mutant.About} | {how} | {test.Runs} | {test.Elapsed.TotalSeconds:0.00} |");
        }

        return hasAll ? 0 : 1;
    }
}

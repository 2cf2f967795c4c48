using System.Globalization;
using Penstock.Simulation.Crash.Workloads;

namespace Penstock.Simulation.Crash;

/// <summary>What is asked for on the command line.</summary>
internal sealed record CrashOptions
{
    public const string Help = """
        Description:
          Run workloads on a device that is recorded, let the power go at every moment, recover what could be left, and judge it.

        Usage:
          penstock crash-test [--states N] [--seed S] [--workload NAME] [--mutant NAME] [--json]
          penstock crash-test --list-workloads | --list-mutants

        Options:
          --states N            Go on until so many different contents were recovered. [default: 2000]
          --seed S              The first seed. [default: 1]
          --workload NAME       Only this workload; else they take turns.
          --mutant NAME         Switch a rule off: a violation is to be found.
          --at POINT[.STATE]    Only this moment of the run, or this state of it: to see a violation again. With a workload and a seed.
          --save FILE           Write the state of --at to a file before it is recovered, for other programs to look at.
          --states-per-point N  How many states are made of each moment. [default: 3]
          --outside-share N     One state in N is judged by e2fsck and the kernel too, and recovered while the power goes again. [default: 100]
          --fail N[.short]      Request N of the device fails, or transfers only a part.
          --threads N           How many runs at the same time. [default: one for each processor]
          --json                Print JSON.
          --hunt-mutants        Look for every mutant, and print how it was found.
          --suite               Run what ./test runs; with --long, ten times as much.
          --list-workloads      List the workloads.
          --list-mutants        List the mutants.
          -?, --help            Show this help.

        It ends with 0 when nothing was found, with 1 when a violation was, with 2 when it could not run.
        """;

    public int States { get; private set; } = 2000;

    public ulong Seed { get; private set; } = 1;

    public Workload? Workload { get; private set; }

    public Mutant? Mutant { get; private set; }

    public int? OnlyPoint { get; private set; }

    public int? OnlyState { get; private set; }

    public string? SaveTo { get; private set; }

    public int StatesPerPoint { get; private set; } = CrashPlan.UsualStatesPerPoint;

    public int OutsideShare { get; private set; } = CrashPlan.UsualOutsideShare;

    public int? FailAt { get; private set; }

    public bool FailsShort { get; private set; }

    public int Threads { get; private set; } = Environment.ProcessorCount;

    public bool IsJson { get; private set; }

    public bool HuntsMutants { get; private set; }

    public bool RunsSuite { get; private set; }

    public bool IsLong { get; private set; }

    public bool ListsWorkloads { get; private set; }

    public bool ListsMutants { get; private set; }

    public bool WantsHelp { get; private set; }

    /// <summary>Reads the command line; throws a <see cref="UsageException"/> that says what is wrong with it.</summary>
    public static CrashOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new CrashOptions();
        CommandLine.Read(arguments, options.TryFlag, options.TryValue);

        if (options.OnlyPoint is not null && options.Workload is null)
        {
            throw new UsageException("--at needs --workload, and the seed of the run");
        }

        if (options.SaveTo is not null && options.OnlyState is null)
        {
            throw new UsageException("--save needs --at POINT.STATE");
        }

        return options;
    }

    private bool TryFlag(string name)
    {
        switch (name)
        {
            case "--json": return IsJson = true;
            case "--hunt-mutants": return HuntsMutants = true;
            case "--suite": return RunsSuite = true;
            case "--long": return IsLong = true;
            case "--list-workloads": return ListsWorkloads = true;
            case "--list-mutants": return ListsMutants = true;
            case "--help" or "-?": return WantsHelp = true;
            default: return false;
        }
    }

    private bool TryValue(string name, Func<string> value)
    {
        switch (name)
        {
            case "--states":
                States = Number(name, value());
                return true;
            case "--seed":
                Seed = ulong.TryParse(value(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed) ? seed : throw new UsageException("--seed takes a number");
                return true;
            case "--workload":
                string workload = value();
                Workload = AllWorkloads.Find(workload) ?? throw new UsageException($"no workload is called {workload}; --list-workloads lists them");
                return true;
            case "--mutant":
                string mutant = value();
                Mutant = CrashMutants.Find(mutant) ?? throw new UsageException($"no mutant is called {mutant}; --list-mutants lists them");
                return true;
            case "--at":
                string[] place = value().Split('.');
                OnlyPoint = Number(name, place[0], least: 0);
                OnlyState = place.Length > 1 ? Number(name, place[1], least: 0) : null;
                return true;
            case "--save":
                SaveTo = value();
                return true;
            case "--fail":
                string[] failing = value().Split('.');
                FailAt = Number(name, failing[0], least: 0);
                FailsShort = failing is [_, "short"];
                return true;
            case "--states-per-point":
                StatesPerPoint = Number(name, value());
                return true;
            case "--outside-share":
                OutsideShare = Number(name, value());
                return true;
            case "--threads":
                Threads = Number(name, value());
                return true;
            default:
                return false;
        }
    }

    private static int Number(string name, string text, int least = 1) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least
            ? number
            : throw new UsageException($"{name} takes a number from {least} on");
}

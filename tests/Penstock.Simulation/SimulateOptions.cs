using System.Globalization;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation;

/// <summary>What is asked for on the command line.</summary>
internal sealed record SimulateOptions
{
    public const string Help = """
        Description:
          Run the unchanged core under a scheduler that owns every choice, and judge every read and every lock.

        Usage:
          penstock simulate --seeds N [--seed FIRST] [--scenario NAME] [--mutant NAME] [--json]
          penstock simulate --list-scenarios | --list-mutants

        Options:
          --seeds N         How many seeds to run.
          --seed FIRST      The first seed. [default: 1]
          --scenario NAME   Only this scenario; else they take turns.
          --mutant NAME     Switch a rule off: a violation is to be found.
          --only IDS        Only these operations of the plan: 3,5,9. With one seed.
          --order NUMBER    The order in which everything happens, in place of the seed's own. With one seed.
          --timeline        Print what happened, step by step. With one seed.
          --no-shrink       Do not look for the fewest operations that fail.
          --json            Print JSON.
          --hunt-mutants    Look for every mutant with up to --seeds seeds, and print how it was found.
          --suite           Run what ./test runs; with --long, for much longer.
          --list-scenarios  List the scenarios.
          --list-mutants    List the mutants.
          -?, --help        Show this help.

        It ends with 0 when nothing was found, with 1 when a violation was, with 2 when the command line makes no sense.
        """;

    public ulong FirstSeed { get; private set; } = 1;

    public int Seeds { get; private set; }

    public Scenario? Scenario { get; private set; }

    public Mutant? Mutant { get; private set; }

    public IReadOnlySet<int>? Only { get; private set; }

    public ulong? Order { get; private set; }

    public bool ShowsTimeline { get; private set; }

    public bool Shrinks { get; private set; } = true;

    public bool IsJson { get; private set; }

    public bool ListsScenarios { get; private set; }

    public bool ListsMutants { get; private set; }

    /// <summary>Whether to run what the tests run.</summary>
    public bool RunsSuite { get; private set; }

    public bool IsLong { get; private set; }

    public bool HuntsMutants { get; private set; }

    public bool WantsHelp { get; private set; }

    /// <summary>Reads the command line; throws a <see cref="UsageException"/> that says what is wrong with it.</summary>
    public static SimulateOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new SimulateOptions();
        CommandLine.Read(arguments, options.TryFlag, options.TryValue);

        options.Validate();
        return options;
    }

    private bool TryFlag(string name)
    {
        switch (name)
        {
            case "--json": return IsJson = true;
            case "--timeline": return ShowsTimeline = true;
            case "--list-scenarios": return ListsScenarios = true;
            case "--suite": return RunsSuite = true;
            case "--long": return IsLong = true;
            case "--hunt-mutants": return HuntsMutants = true;
            case "--list-mutants": return ListsMutants = true;
            case "--help" or "-?" or "-h": return WantsHelp = true;
            case "--no-shrink":
                Shrinks = false;
                return true;
            default: return false;
        }
    }

    private bool TryValue(string name, Func<string> value)
    {
        switch (name)
        {
            case "--seeds":
                Seeds = (int)Number(name, value(), 1, int.MaxValue);
                return true;
            case "--seed":
                FirstSeed = Number(name, value(), 0, ulong.MaxValue);
                return true;
            case "--order":
                Order = Number(name, value(), 0, ulong.MaxValue);
                return true;
            case "--only":
                Only = value().Split(',').Select(id => (int)Number(name, id, 1, int.MaxValue)).ToHashSet();
                return true;
            case "--scenario":
                string scenario = value();
                Scenario = AllScenarios.Find(scenario)
                    ?? throw new UsageException($"there is no scenario '{scenario}'; --list-scenarios lists them");
                return true;
            case "--mutant":
                string mutant = value();
                Mutant = AllMutants.Find(mutant) ?? throw new UsageException($"there is no mutant '{mutant}'; --list-mutants lists them");
                return true;
            default:
                return false;
        }
    }

    private void Validate()
    {
        if (ListsMutants || ListsScenarios || WantsHelp || RunsSuite)
        {
            return;
        }

        if (Seeds == 0)
        {
            throw new UsageException("option --seeds is needed: how many seeds to run");
        }

        if ((Only is not null || Order is not null || ShowsTimeline) && Seeds != 1)
        {
            throw new UsageException("--only, --order and --timeline are for one seed: --seeds 1");
        }
    }

    private static ulong Number(string name, string text, ulong least, ulong most) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && number >= least && number <= most
            ? number
            : throw new UsageException($"'{text}' is no number for {name}");
}

/// <summary>The command line makes no sense.</summary>
internal sealed class UsageException(string message) : Exception(message);

using System.Globalization;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Threads;

/// <summary>What is asked of <c>penstock race-test</c>.</summary>
internal sealed record RaceOptions
{
    public const string Help = """
        Description:
          Run the library as it is in production with many real threads on a few files, and judge every read as the simulator does. What one thread cannot show:
          races of data, and of memory's order.

        Usage:
          penstock race-test --operations N [--seed FIRST] [--scenario NAME] [--device KIND] [--mutant NAME]

        Options:
          --operations N    How many operations to carry out, about.
          --seed FIRST      The first seed. It fixes what the threads do, not in which order. [default: of the clock]
          --scenario NAME   Only this scenario of the simulator; else crowds and all scenarios take turns.
          --device KIND     shaken (served in any order), memory, or image (io_uring); else they take turns.
          --mutant NAME     Switch a rule off: a violation is to be found.
          --hunt-mutants    Look for every mutant in up to --operations operations, each in a process of its own, and print how it was found.
          --suite           Run what ./test runs; with --long, for much longer.
          --list-mutants    List the mutants that ./test looks for.
          -?, --help        Show this help.

        It ends with 0 when nothing was found, with 1 when a violation was, with 2 when the command line makes no sense.
        """;

    public long Operations { get; private set; }

    public ulong FirstSeed { get; private set; } = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds() * 1000;

    public Scenario? Scenario { get; private set; }

    public RaceDevice? Device { get; private set; }

    public Mutant? Mutant { get; private set; }

    public bool HuntsMutants { get; private set; }

    public bool RunsSuite { get; private set; }

    public bool IsLong { get; private set; }

    public bool ListsMutants { get; private set; }

    public bool WantsHelp { get; private set; }

    /// <summary>Reads the command line; throws a <see cref="UsageException"/> that says what is wrong with it.</summary>
    public static RaceOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new RaceOptions();
        CommandLine.Read(arguments, options.TryFlag, options.TryValue);
        return options.Operations > 0 || options.RunsSuite || options.ListsMutants || options.WantsHelp ? options
            : throw new UsageException("option --operations is needed: how many operations to carry out");
    }

    private bool TryFlag(string name) => name switch
    {
        "--hunt-mutants" => HuntsMutants = true,
        "--suite" => RunsSuite = true,
        "--long" => IsLong = true,
        "--list-mutants" => ListsMutants = true,
        "--help" or "-?" or "-h" => WantsHelp = true,
        _ => false,
    };

    private bool TryValue(string name, Func<string> value)
    {
        switch (name)
        {
            case "--operations":
                Operations = (long)Number(name, value(), 1);
                return true;
            case "--seed":
                FirstSeed = Number(name, value(), 0);
                return true;
            case "--scenario":
                string scenario = value();
                Scenario = AllScenarios.Find(scenario) ?? throw new UsageException($"there is no scenario '{scenario}'; penstock simulate --list-scenarios lists them");
                return true;
            case "--device":
                string device = value();
                Device = Enum.TryParse(device, ignoreCase: true, out RaceDevice kind) && Enum.IsDefined(kind) ? kind
                    : throw new UsageException($"there is no device '{device}': shaken, memory or image");
                return true;
            case "--mutant":
                string mutant = value();
                Mutant = AllMutants.Find(mutant) ?? throw new UsageException($"there is no mutant '{mutant}'; penstock simulate --list-mutants lists them");
                return true;
            default:
                return false;
        }
    }

    private static ulong Number(string name, string text, ulong least) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && number >= least && number <= long.MaxValue
            ? number
            : throw new UsageException($"'{text}' is no number for {name}");
}

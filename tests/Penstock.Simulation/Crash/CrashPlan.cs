using Penstock.Execution;
using Penstock.Simulation.Crash.Workloads;

namespace Penstock.Simulation.Crash;

/// <summary>One run: which workload, by which choices, and where to look.</summary>
internal sealed record CrashPlan(Workload Workload, ulong Seed)
{
    public const int UsualStatesPerPoint = 3;
    public const int UsualOutsideShare = 100;

    public RuleSet Broken { get; init; }

    /// <summary>The mutant's name, for the command that runs it again.</summary>
    public string? Mutant { get; init; }

    /// <summary>How many states are made of each moment at which something may be lost.</summary>
    public int StatesPerPoint { get; init; } = UsualStatesPerPoint;

    /// <summary>One state in so many is judged by e2fsck too.</summary>
    public int OutsideShare { get; init; } = UsualOutsideShare;

    /// <summary>Of so many moments one is looked at.</summary>
    public int PointShare { get; init; } = 1;

    /// <summary>The request that fails, by its number in the order of submission.</summary>
    public int? FailAt { get; init; }

    /// <summary>
    /// Whether it is a run of a sweep of faults. It leaves out ext3: its journal remembers the error, recovery then leaves orphans and files that are to be cut back to
    /// a repair, as in Linux, and the judge does not know that yet (docs/CRASH.md).
    /// </summary>
    public bool SweepsFaults { get; init; }

    /// <summary>The volumes that may be chosen.</summary>
    public IReadOnlyList<CrashShape> Shapes =>
        SweepsFaults || FailAt is not null ? [.. Workload.Shapes.Where(static s => s.Kind != VolumeKind.Ext3)] : Workload.Shapes;

    /// <summary>Whether the request that fails has transferred some of its sectors.</summary>
    public bool FailsShort { get; init; }

    /// <summary>The moment to look at, and nowhere else.</summary>
    public int? OnlyPoint { get; init; }

    /// <summary>The moment after which nothing is looked at any more.</summary>
    public int? LastPoint { get; init; }

    /// <summary>Of the states of that moment the one to judge.</summary>
    public int? OnlyState { get; init; }

    /// <summary>Where to put the state that is judged, for other programs to look at.</summary>
    public string? SaveTo { get; init; }

    /// <summary>Whether the log keeps its last lines, for people.</summary>
    public bool KeepsLines { get; init; }
}

/// <summary>A violation, and how to see it again.</summary>
internal sealed record CrashFinding(CrashPlan Plan, CrashShape Shape, int Point, int State, string Problem)
{
    public Recording.LossKind Kind { get; init; }

    /// <summary>Whether the same run of a build without the mutant is wrong too: then it is no find of the mutant.</summary>
    public bool IsOfWholeBuild { get; init; }

    /// <summary>What happened before.</summary>
    public IReadOnlyList<string> Log { get; init; } = [];

    /// <summary>What became of each write that no flush covered.</summary>
    public IReadOnlyList<string> Fates { get; init; } = [];

    /// <summary>Where in the run.</summary>
    public string Place => Point == 0 ? "at the end" : $"moment {Point}, state {State} ({Kind})";

    public string Replay =>
        $"./penstock crash-test --workload {Plan.Workload.Name}{(Plan.Mutant is null ? "" : $" --mutant {Plan.Mutant}")} --seed {Plan.Seed} --at {Point}.{State}{Choices}";

    private string Choices =>
        (Plan.StatesPerPoint == CrashPlan.UsualStatesPerPoint ? "" : $" --states-per-point {Plan.StatesPerPoint}")
        + (Plan.OutsideShare == CrashPlan.UsualOutsideShare ? "" : $" --outside-share {Plan.OutsideShare}")
        + (Plan.FailAt is { } failed ? $" --fail {failed}{(Plan.FailsShort ? ".short" : "")}" : "");
}

using System.Diagnostics;
using Penstock.Simulation.Crash.Judging;
using Penstock.Simulation.Crash.Workloads;

namespace Penstock.Simulation.Crash;

/// <summary>Runs of workloads, on several threads, until enough different contents were recovered or something was found.</summary>
internal sealed class CrashTest(CrashOptions options)
{
    /// <summary>A find of a mutant is one only if the same run without it is right, up to the same moment and so many more: the two part ways somewhere.</summary>
    private const int MomentsMore = 40;

    private readonly object _latch = new();
    private readonly List<CrashFinding> _findings = [];
    private readonly Stopwatch _watch = new();
    private long _next = -1;
    private long _runs;

    public CrashTally Tally { get; } = new();

    public IReadOnlyList<CrashFinding> Findings => _findings;

    public long Runs => _runs;

    public TimeSpan Elapsed => _watch.Elapsed;

    /// <summary>After so many findings nothing more is looked for.</summary>
    public int MostFindings { get; init; } = 3;

    /// <summary>Runs at most this many, if given.</summary>
    public int? MostRuns { get; init; }

    /// <summary>Runs until the wanted number of contents, and tells of each finding.</summary>
    public void Run(Action<CrashFinding>? found = null)
    {
        _watch.Start();
        if (options.OnlyPoint is not null)
        {
            RunOne(0, found, keepsLines: true);
        }
        else
        {
            Thread[] threads = [.. Enumerable.Range(0, options.Threads).Select(_ => new Thread(() => RunMany(found), 16 << 20))];
            Array.ForEach(threads, static t => t.Start());
            Array.ForEach(threads, static t => t.Join());
        }

        _watch.Stop();
    }

    private void RunMany(Action<CrashFinding>? found)
    {
        using var judges = new OutsideJudges();
        while (Tally.Contents < options.States && _findings.Count < MostFindings)
        {
            long index = Interlocked.Increment(ref _next);
            if (index >= (MostRuns ?? long.MaxValue))
            {
                return;
            }

            RunOne(index, found, keepsLines: false, judges);
        }
    }

    private void RunOne(long index, Action<CrashFinding>? found, bool keepsLines)
    {
        using var judges = new OutsideJudges();
        RunOne(index, found, keepsLines, judges);
    }

    private void RunOne(long index, Action<CrashFinding>? found, bool keepsLines, OutsideJudges judges)
    {
        CrashPlan plan = PlanOf(index) with { KeepsLines = keepsLines };
        CrashFinding? finding = CrashRun.Execute(plan, Tally, judges);
        Interlocked.Increment(ref _runs);
        if (finding is null)
        {
            return;
        }

        if (!keepsLines)
        {
            // Once more, up to there, for the account of what happened.
            CrashPlan again = plan with { KeepsLines = true, OnlyPoint = finding.Point, OnlyState = finding.State };
            finding = CrashRun.Execute(again, new CrashTally(), judges) is { } told
                ? told with { Plan = plan }
                : finding with { Problem = $"{finding.Problem} (but not when run again)" };
        }

        CrashPlan whole = plan with { Broken = default, Mutant = null, LastPoint = finding.Point == 0 ? null : finding.Point + MomentsMore };
        if (plan.Mutant is not null && CrashRun.Execute(whole, new CrashTally(), judges) is { } control)
        {
            finding = control with { IsOfWholeBuild = true, Problem = $"without the mutant, too: {control.Problem}" };
        }

        lock (_latch)
        {
            if (_findings.Count < MostFindings)
            {
                _findings.Add(finding);
                found?.Invoke(finding);
            }
        }
    }

    /// <summary>All workloads in turns, if none is asked for; and between any two of them the one that leaves the most different contents.</summary>
    private (Workload Workload, ulong Seed) Choose(long index)
    {
        bool isAny = options.Workload is null && options.Mutant is null;
        if (isAny && index % 2 == 1)
        {
            return (FileWorkloads.Overwrite, options.Seed + (ulong)(index / 2));
        }

        long turn = isAny ? index / 2 : index;
        IReadOnlyList<Workload> workloads = options.Workload is { } only ? [only]
            : options.Mutant is { } mutant ? [.. mutant.Scenarios.Select(static n => AllWorkloads.Find(n)!)]
            : [.. AllWorkloads.InOrder.Where(static w => w != FileWorkloads.Overwrite)];
        return (workloads[(int)(turn % workloads.Count)], options.Seed + (ulong)(turn / workloads.Count));
    }

    private CrashPlan PlanOf(long index)
    {
        (Workload workload, ulong seed) = Choose(index);
        return new CrashPlan(workload, seed)
        {
            Broken = options.Mutant?.Broken ?? default,
            Mutant = options.Mutant?.Name,
            StatesPerPoint = options.StatesPerPoint,
            OutsideShare = options.OutsideShare,
            OnlyPoint = options.OnlyPoint,
            OnlyState = options.OnlyState,
            SaveTo = options.SaveTo,
            FailAt = options.FailAt,
            FailsShort = options.FailsShort,
        };
    }
}

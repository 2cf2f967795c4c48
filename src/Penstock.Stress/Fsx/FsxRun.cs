using System.Diagnostics;
using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>What a run found wrong, and the way to see it again.</summary>
/// <param name="Found">What is wrong, as the run met it.</param>
/// <param name="Log">All operations up to it.</param>
/// <param name="Shrunk">The fewest that were found to fail, and what they show; null where the failure did not come again.</param>
/// <param name="Replays">How many replays shrinking took.</param>
internal sealed record FsxFinding(
    Discrepancy Found, IReadOnlyList<FsxOperation> Log, (IReadOnlyList<FsxOperation> Operations, Discrepancy Found)? Shrunk, int Replays);

/// <summary>A whole run: probes the target, lets the threads work, and shrinks what they find.</summary>
internal sealed class FsxRun(StressFolder folder, FsxOptions options, FsxProgress progress)
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(progress.Cancellation);
    private ulong _salt = (ulong)Stopwatch.GetTimestamp();

    /// <summary>What the target can do; known once <see cref="Prepare"/> has returned.</summary>
    public TargetAbilities Abilities { get; private set; } = new();

    /// <summary>Finds out what the target can do.</summary>
    /// <exception cref="FileSystemException">It can not even hold a small file.</exception>
    public void Prepare() => Abilities = AbilityProbe.Run(folder, options);

    /// <summary>Runs random operations.</summary>
    /// <returns>What was found wrong, or null.</returns>
    /// <exception cref="FileSystemException">The target cannot go on.</exception>
    /// <exception cref="OperationCanceledException">It was stopped; nothing was wrong so far.</exception>
    public FsxFinding? Run()
    {
        var rules = new FsxRules(options, Abilities);
        long each = Math.Max(options.Operations / options.Threads, 1);
        FsxWorker[] workers = [.. Enumerable.Range(0, options.Threads).Select(i => new FsxWorker(folder, rules, i, each, progress, _stop.Token))];
        (FsxWorker Worker, Discrepancy Found)? first = WorkerThreads.Run(workers, _stop);
        return first is { } failure ? Shrink(rules, failure.Worker.FirstFile, failure.Found, failure.Worker.Log) : null;
    }

    /// <summary>Replays a log.</summary>
    /// <inheritdoc cref="Run"/>
    public FsxFinding? Replay(FsxLog log)
    {
        var rules = new FsxRules(log.Options, Abilities);
        return FsxReplay.Run(folder, rules, 0, NextSalt(), log.Operations, progress) is { } found
            ? Shrink(rules, 0, found, [.. log.Operations.Take(found.Position)])
            : null;
    }

    private FsxFinding Shrink(FsxRules rules, int firstFile, Discrepancy found, IReadOnlyList<FsxOperation> log)
    {
        progress.IsShrinking = true;
        var shrinker = new FsxShrinker(o => TryReplay(rules, firstFile, o), options.ShrinkTime);
        FsxOperation[] failing = [.. log];
        return new FsxFinding(found, failing, options.ShrinkTime > TimeSpan.Zero ? shrinker.Run(failing) : null, shrinker.Replays);
    }

    private Discrepancy? TryReplay(FsxRules rules, int firstFile, IReadOnlyList<FsxOperation> operations)
    {
        try
        {
            return FsxReplay.Run(folder, rules, firstFile, NextSalt(), operations);
        }
        catch (FileSystemException)
        {
            // Full or gone meanwhile: no proof of anything.
            return null;
        }
    }

    private ulong NextSalt() => _salt += 0x9E3779B97F4A7C15;
}

using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>One thread's part of a run: its own files, seed and log.</summary>
internal sealed class FsxWorker(StressFolder folder, FsxRules rules, int index, long operations, FsxProgress progress, CancellationToken stop)
{
    private readonly List<FsxOperation> _log = [];
    private readonly List<FsxOperation> _batch = [];
    private int _sinceCheck;

    /// <summary>The number of its first file.</summary>
    public int FirstFile { get; } = index * rules.Options.Files;

    /// <summary>Every operation since its files were made, in order.</summary>
    public IReadOnlyList<FsxOperation> Log => _log;

    private bool IsTimeUp => rules.Options.Time is { } time && progress.Elapsed >= time;

    /// <summary>Runs to the end, or until something is wrong.</summary>
    /// <exception cref="FileSystemException">The target cannot go on.</exception>
    /// <exception cref="OperationCanceledException">Another thread found something, or the user stops it.</exception>
    public Discrepancy? Run()
    {
        var chance = new SeededChance(rules.Options.Seed + ((ulong)index << 32));
        for (long left = operations; left > 0 && !IsTimeUp;)
        {
            long length = Math.Min(left, rules.Options.EpochLength);
            if (RunEpoch(chance.Next(), length) is { } found)
            {
                return found;
            }

            left -= length;
        }

        return null;
    }

    private Discrepancy? RunEpoch(ulong seed, long length)
    {
        _log.Clear();
        _batch.Clear();
        using var session = new FsxSession(folder, rules, FirstFile, salt: seed);
        var generator = new FsxGenerator(seed, rules);
        for (int number = 1; number <= length && !IsTimeUp; number++)
        {
            stop.ThrowIfCancellationRequested();
            if (generator.Next(number, session.Images) is not { } operation)
            {
                continue;
            }

            if (_batch.Count > 0 && !rules.CanJoin(_batch, operation, session.Images))
            {
                if (Flush(session) is { } found)
                {
                    return found;
                }

                if (!rules.IsLegal(operation, session.Images))
                {
                    continue;
                }
            }

            _batch.Add(operation);
        }

        return (_batch.Count > 0 ? Flush(session) : null) ?? session.CheckAll(reopens: true);
    }

    private Discrepancy? Flush(FsxSession session)
    {
        _log.AddRange(_batch);
        Discrepancy? found = session.Run(_batch);
        progress.Add(_batch);
        _sinceCheck += _batch.Count;
        _batch.Clear();
        if (found is null && _sinceCheck >= rules.Options.CheckInterval)
        {
            _sinceCheck = 0;
            found = session.CheckAll(reopens: false);
        }

        return found;
    }
}

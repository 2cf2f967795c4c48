using Penstock.Stress.Targets;

namespace Penstock.Stress.Fsx;

/// <summary>Runs given operations on fresh files, leaving out those that make no sense there.</summary>
internal static class FsxReplay
{
    /// <summary>Runs them, then compares everything.</summary>
    /// <returns>What was found, its position counted in the operations as given; or null.</returns>
    public static Discrepancy? Run(
        StressFolder folder, FsxRules rules, int firstFile, ulong salt, IReadOnlyList<FsxOperation> operations, FsxProgress? progress = null)
    {
        using var session = new FsxSession(folder, rules, firstFile, salt);
        var batch = new List<FsxOperation>();
        int position = 0;
        foreach (FsxOperation operation in operations)
        {
            progress?.Cancellation.ThrowIfCancellationRequested();
            if (batch.Count > 0 && !(rules.CanJoin(batch, operation, session.Images) && rules.IsLegal(operation, session.Images)))
            {
                if (Flush(session, batch, progress) is { } found)
                {
                    return found with { Position = position };
                }
            }

            position++;
            if (rules.IsLegal(operation, session.Images))
            {
                batch.Add(operation);
            }
        }

        return (batch.Count > 0 ? Flush(session, batch, progress) : null) is { } last ? last with { Position = position }
            : session.CheckAll(reopens: true) is { } whole ? whole with { Position = position }
            : null;
    }

    private static Discrepancy? Flush(FsxSession session, List<FsxOperation> batch, FsxProgress? progress)
    {
        Discrepancy? found = session.Run(batch);
        progress?.Add(batch);
        batch.Clear();
        return found;
    }
}

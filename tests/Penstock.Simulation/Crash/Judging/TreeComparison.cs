using System.Collections.Immutable;
using Penstock.Files;
using Penstock.Simulation.Crash.Model;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>Compares what was found with what may be there.</summary>
internal static class TreeComparison
{
    /// <summary>What is wrong, or null.</summary>
    public static string? Judge(FoundTree tree, CrashModel model)
    {
        if (tree.Entries.Keys.FirstOrDefault(p => !FoundTree.IsLost(p) && model.OwnerOf(p) is null) is { } stranger)
        {
            return $"{stranger} is there, which nobody made";
        }

        foreach (NameHistory client in model.Clients)
        {
            string? problem = model.IsOrdered ? JudgeOrdered(tree, model, client) : JudgeEach(tree, model, client);
            if (problem is not null)
            {
                return problem;
            }
        }

        return null;
    }

    /// <summary>The names must be as they were after one of the client's changes, all of them.</summary>
    private static string? JudgeOrdered(FoundTree tree, CrashModel model, NameHistory client)
    {
        FoundEntry[] found = [.. tree.Entries.Values.Where(e => model.OwnerOf(e.Path) == client)];
        string? problem = null;
        for (int i = client.States.Count - 1; i >= 0; i--)
        {
            ImmutableSortedDictionary<string, Node> state = client.States[i];
            if (FindDifference(found, state, tree) is not null)
            {
                continue;
            }

            string? inside = found.Select(e => JudgeEntry(e, state[e.Path], isOrdered: true, model)).FirstOrDefault(static p => p is not null);
            if (inside is null)
            {
                return null;
            }

            problem ??= inside;
        }

        return problem
            ?? $"{FindDifference(found, client.States[0], tree)}: the names are not as they were after any of the {client.States.Count} states since the last that is durable"
            + $" (and {FindDifference(found, client.Now, tree)}, for all of them to be there)";
    }

    private static string? FindDifference(FoundEntry[] found, ImmutableSortedDictionary<string, Node> state, FoundTree tree)
    {
        foreach (FoundEntry entry in found)
        {
            if (!state.TryGetValue(entry.Path, out Node? node))
            {
                return $"{entry.Path} is there";
            }

            if (!IsSame(entry, node))
            {
                return $"{entry.Path} is {entry.Kind} inode {entry.Inode}, not {node}";
            }
        }

        return found.Length == state.Count ? null : $"{state.Keys.First(p => !tree.Entries.ContainsKey(p))} is not there";
    }

    /// <summary>
    /// Each name and each node stands for itself: without a journal. A name that was synced may be lost while its directory is split, if what has moved to another block
    /// is not reached from the directory yet; the file is in lost+found then, unless it is empty: e2fsck removes those.
    /// </summary>
    private static string? JudgeEach(FoundTree tree, CrashModel model, NameHistory client)
    {
        foreach (string path in client.Paths)
        {
            // A name that is being changed may be lost with its block; what it led to is looked for below.
            Node?[] candidates = [.. client.CandidatesOf(path)];
            candidates = candidates.Length > 1 ? [.. candidates, null] : candidates;
            if (!tree.Entries.TryGetValue(path, out FoundEntry? entry))
            {
                if (!candidates.Contains(null) && !candidates.Any(n => IsEmpty(n!) || IsInLostFound(tree, n!)))
                {
                    return $"{path} is not there, though its name was synced";
                }

                continue;
            }

            Node[] same = [.. candidates.Where(n => n is not null && IsSame(entry, n)).Select(static n => n!)];
            if (!candidates.Contains(null) && same.Length == 0)
            {
                return $"{path} is {entry.Kind} inode {entry.Inode}, not {string.Join(" or ", candidates.Select(static n => n!.ToString()))}";
            }
        }

        foreach (Node node in client.Kept)
        {
            FoundEntry? entry = tree.Entries.Values.FirstOrDefault(e => IsSame(e, node));
            if (entry is null && IsEmpty(node))
            {
                continue;
            }

            if (entry is null)
            {
                return $"{node} is nowhere, though it was synced and never removed";
            }

            if (JudgeEntry(entry, node, isOrdered: false, model) is { } problem)
            {
                return problem;
            }
        }

        return null;
    }

    private static bool IsEmpty(Node node) => node.Kind == FileKind.Regular && node.Content.Sizes().Least == 0;

    private static bool IsInLostFound(FoundTree tree, Node node) => tree.Entries.Values.Any(e => FoundTree.IsLost(e.Path) && IsSame(e, node));

    private static bool IsSame(FoundEntry entry, Node node) => entry.Kind == node.Kind && (node.Inode == 0 || entry.Inode == node.Inode);

    private static string? JudgeEntry(FoundEntry entry, Node node, bool isOrdered, CrashModel model)
    {
        string? problem = node.Kind switch
        {
            FileKind.Regular => node.Content.Judge(entry.Content, isOrdered && model.HidesOldBytes)
                ?? (model.UnitOfData > 0 ? node.Content.JudgeOrder(entry.Content, model.UnitOfData) : null),
            FileKind.SymbolicLink when entry.LinkTarget != node.LinkTarget => $"it leads to {entry.LinkTarget}, not to {node.LinkTarget}",
            _ => null,
        };
        problem ??= node.Attributes.Judge(entry.Attributes, isOrdered);
        return problem is null ? null : $"{entry.Path} ({node}): {problem}";
    }
}

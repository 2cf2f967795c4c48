using Penstock.Caching;
using Penstock.Ext4.Checking;
using Penstock.Files;
using Penstock.Simulation.Crash.Model;
using Penstock.Simulation.Devices;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>
/// Recovers a crash state, by a build in which no rule is off, and judges what is left. With a journal Penstock recovers, by opening the volume for writing: then all must be right. Without one
/// the volume is read as it is, and what seems lost must be there after a repair.
/// </summary>
internal sealed class StateJudge(CrashShape shape, E2fsck? e2fsck)
{
    private const int PageCacheBytes = 512 * 1024;

    private readonly CrashImage _made = CrashImage.Of(shape);

    /// <summary>Judges one state, which is changed by its recovery.</summary>
    /// <param name="image">What the device holds.</param>
    /// <param name="model">What may be there.</param>
    /// <param name="asksOutside">Whether e2fsck is to judge it too.</param>
    public Verdict Judge(ChunkMemory image, CrashModel model, bool asksOutside)
    {
        try
        {
            return model.IsOrdered ? JudgeJournalled(image, model, asksOutside) : JudgeUnjournalled(image, model, asksOutside);
        }
        catch (FileSystemException e)
        {
            return new Verdict($"recovery failed: {e.Message}", 0, 0, AskedOutside: false);
        }
        catch (Exception e)
        {
            return new Verdict($"recovery failed: {e}", 0, 0, AskedOutside: false);
        }
    }

    private Verdict JudgeJournalled(ChunkMemory image, CrashModel model, bool asksOutside)
    {
        if (_made.HasUnmarkedLog(image))
        {
            return new Verdict("the log has something to replay, but the volume does not need recovery", 0, 0, AskedOutside: false);
        }

        asksOutside &= e2fsck is not null;
        if (asksOutside)
        {
            e2fsck!.Load(image, shape.Length);
        }

        FoundTree tree = Read(image, isReadOnly: false, isTolerant: false);
        string? problem = TreeComparison.Judge(tree, model) ?? Check(image);
        if (asksOutside && problem is null)
        {
            problem = JudgeOutside(image, tree);
        }

        return new Verdict(problem, HashOf(image), tree.Hash(), asksOutside);
    }

    /// <summary>
    /// e2fsck recovers the same state: both must come to the same content, and it must find nothing wrong with ours. Attributes are left out: where it cuts back a file
    /// that a crash left on the list of orphans, e2fsck frees the block of its attributes too.
    /// </summary>
    private string? JudgeOutside(ChunkMemory recovered, FoundTree tree)
    {
        (int code, string output) = e2fsck!.Run("-fy");
        if (code > E2fsck.Repaired)
        {
            return $"e2fsck -fy ends with {code}: {output}";
        }

        ChunkMemory theirs = recovered.Clone();
        e2fsck.Store(theirs, shape.Length);
        FoundTree other = Read(theirs, isReadOnly: true, isTolerant: false);
        theirs.Recycle();
        if (other.Hash(hasAttributes: false) != tree.Hash(hasAttributes: false))
        {
            return $"e2fsck recovers something else than Penstock: {Differ(tree, other)}";
        }

        e2fsck.Load(recovered, shape.Length);
        (code, output) = e2fsck.Run("-fn");
        return code == 0 ? null : $"after recovery e2fsck -fn ends with {code}: {output}";
    }

    private static string Differ(FoundTree ours, FoundTree theirs)
    {
        foreach ((string path, FoundEntry entry) in ours.Entries)
        {
            if (!theirs.Entries.TryGetValue(path, out FoundEntry? other))
            {
                return $"it has no {path}";
            }

            if (other.Inode != entry.Inode || !other.Content.AsSpan().SequenceEqual(entry.Content))
            {
                return $"its {path} is another ({other.Content.Length} bytes, inode {other.Inode}; ours {entry.Content.Length} bytes, inode {entry.Inode})";
            }
        }

        return theirs.Entries.Keys.FirstOrDefault(p => !ours.Entries.ContainsKey(p)) is { } more ? $"it has {more}" : "a link leads elsewhere";
    }

    private Verdict JudgeUnjournalled(ChunkMemory image, CrashModel model, bool asksOutside)
    {
        FoundTree? tree = null;
        string? problem;
        try
        {
            tree = Read(image, isReadOnly: true, isTolerant: true);
            problem = TreeComparison.Judge(tree, model);
        }
        catch (FileSystemException e)
        {
            problem = e.Message;
        }

        if ((problem is null && !asksOutside) || e2fsck is null)
        {
            return new Verdict(problem, HashOf(image), tree?.Hash() ?? 0, AskedOutside: false);
        }

        e2fsck.Load(image, shape.Length);
        (int code, string output) = e2fsck.Run("-fy");
        if (code > E2fsck.Repaired)
        {
            return new Verdict($"e2fsck -fy ends with {code}: {output}", 0, 0, AskedOutside: true);
        }

        e2fsck.Store(image, shape.Length);

        // A name that stood in two blocks of a directory being split may stay twice; of what is there nothing may be unreadable.
        tree = Read(image, isReadOnly: false, isTolerant: true);
        problem = tree.Unreadable.Find(static u => !u.EndsWith(FoundTree.ListedTwice, StringComparison.Ordinal)) ?? TreeComparison.Judge(tree, model) ?? Check(image);
        return new Verdict(problem is null ? null : $"after e2fsck -fy: {problem}", HashOf(image), tree.Hash(), AskedOutside: true);
    }

    private ulong HashOf(ChunkMemory image) => image.HashContent(_made.JournalOffset, _made.JournalLength);

    private FoundTree Read(ChunkMemory image, bool isReadOnly, bool isTolerant)
    {
        var turns = new PlainTurns(image, shape.Length);
        var pages = new PageCache(turns.Scheduler, PageCacheBytes);
        try
        {
            return turns.Complete(ReadAsync(turns, pages, isReadOnly, isTolerant));
        }
        finally
        {
            pages.Abandon();
        }
    }

    private static async Task<FoundTree> ReadAsync(PlainTurns turns, PageCache pages, bool isReadOnly, bool isTolerant)
    {
        Volume volume = await Volume.OpenAsync(turns.Device, new VolumeOptions { IsReadOnly = isReadOnly, PageCache = pages, Scheduler = turns.Scheduler });
        FoundTree tree = await FoundTree.ReadAsync(volume, isTolerant);
        await volume.DisposeAsync();
        return tree;
    }

    private string? Check(ChunkMemory image)
    {
        var turns = new PlainTurns(image, shape.Length);
        CheckReport report = turns.Complete(VolumeChecker.RunAsync(
            turns.Device, new CheckOptions { Scheduler = turns.Scheduler, Parallelism = 1 }, CancellationToken.None).AsTask());
        return report.Verdict == CheckVerdict.Clean ? null
            : $"after recovery the check finds {report.ProblemCount} problems: {string.Join("; ", report.Problems.Where(static p => !p.IsNote).Take(5))}";
    }
}

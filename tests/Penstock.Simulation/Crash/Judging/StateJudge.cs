using Penstock.Caching;
using Penstock.Ext4.Checking;
using Penstock.Ext4.Repairing;
using Penstock.Files;
using Penstock.Simulation.Crash.Model;
using Penstock.Simulation.Crash.Recording;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>
/// Recovers a crash state, by a build in which no rule is off, and judges what is left. With a journal Penstock recovers, by opening the volume for writing: then all must be right. Without one
/// the volume is read as it is, and what seems lost must be there after a repair.
/// </summary>
internal sealed class StateJudge(CrashShape shape, E2fsck? e2fsck, KernelMount? kernel)
{
    private const int PageCacheBytes = 512 * 1024;

    private readonly CrashImage _made = CrashImage.Of(shape);

    /// <summary>By the image, and by the volume that came of it.</summary>
    private readonly RecoveredImages _images = new();
    private readonly RecoveredImages _volumes = new();

    /// <summary>Judges one state, which is changed by its recovery.</summary>
    /// <param name="image">What the device holds.</param>
    /// <param name="imageHash">A hash of it.</param>
    /// <param name="model">What may be there.</param>
    /// <param name="salt">If given, others are to judge it too, and the power goes again during the recovery, at moments chosen by this.</param>
    public Verdict Judge(ChunkMemory image, ulong imageHash, CrashModel model, ulong? salt)
    {
        try
        {
            return model.IsOrdered ? JudgeJournalled(image, imageHash, model, salt) : JudgeUnjournalled(image, imageHash, model, salt is not null);
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

    private Verdict JudgeJournalled(ChunkMemory image, ulong imageHash, CrashModel model, ulong? salt)
    {
        Recovered? known = _images.Find(imageHash);
        Recovered recovered = known ?? _images.Add(imageHash, RecoverJournalled(image, salt));
        string? problem = recovered.Problem ?? TreeComparison.Judge(recovered.Tree!, model);
        return new Verdict(problem, recovered.VolumeHash, recovered.ContentHash, AskedOutside: known is null && salt is not null);
    }

    /// <summary>What is right whatever was promised; with a salt, as others see it too.</summary>
    private Recovered RecoverJournalled(ChunkMemory image, ulong? salt)
    {
        if (_made.HasUnmarkedLog(image))
        {
            return new Recovered(null, "the log has something to replay, but the volume does not need recovery", 0, 0);
        }

        ChunkMemory? before = salt is null ? null : image.Freeze().Clone();
        Recover(image);
        ulong volumeHash = HashOf(image);
        Recovered recovered = _volumes.Find(volumeHash) ?? _volumes.Add(volumeHash, Describe(image, volumeHash));
        if (before is null || recovered.Problem is not null)
        {
            return recovered;
        }

        return recovered with { Problem = JudgeCuts(before, recovered, new Chance(salt!.Value)) ?? JudgeOutside(before, image, recovered.Tree!) };
    }

    private Recovered Describe(ChunkMemory image, ulong volumeHash)
    {
        FoundTree tree = Read(image, isReadOnly: true, isTolerant: false);
        return new Recovered(tree, Check(image), volumeHash, tree.Hash());
    }

    /// <summary>The power goes again during the recovery, and while a repair does what it would have done.</summary>
    private string? JudgeCuts(ChunkMemory before, Recovered expected, Chance chance)
    {
        foreach (ChunkMemory cut in RecoveryCuts.Make(shape, before, RecoverAsync, sectorsInUnit: 1, chance))
        {
            Recover(cut);
            if (JudgeAgain(cut, expected) is { } problem)
            {
                return $"the power went again during the recovery: {problem}";
            }
        }

        // A repair writes in place: blocks that are torn inside are mended by its undo file alone.
        foreach (ChunkMemory cut in RecoveryCuts.Make(shape, before, RepairAsync, HeldWritesDevice.UnitSize / LoggedWrite.Sector, chance))
        {
            var turns = new PlainTurns(cut, shape.Length);
            turns.Complete(RepairAsync(turns));
            if (JudgeAgain(cut, expected) is { } problem)
            {
                return $"the power went again during a repair: {problem}";
            }
        }

        return null;
    }

    private string? JudgeAgain(ChunkMemory image, Recovered expected)
    {
        Recovered found = Describe(image, HashOf(image));
        image.Recycle();
        return found.Problem ?? (found.ContentHash == expected.ContentHash ? null : $"something else is recovered then: {Differ(expected.Tree!, found.Tree!)}");
    }

    /// <summary>
    /// e2fsck recovers the same state: both must come to the same content, and it must find nothing wrong with ours. Attributes are left out: where it cuts back a file
    /// that a crash left on the list of orphans, e2fsck frees the block of its attributes too.
    /// </summary>
    private string? JudgeOutside(ChunkMemory before, ChunkMemory recovered, FoundTree tree)
    {
        if (e2fsck is null)
        {
            return null;
        }

        e2fsck.Load(before, shape.Length);
        (int code, string output) = e2fsck.Run("-fy");
        if (code > E2fsck.Repaired)
        {
            return $"e2fsck -fy ends with {code}: {output}";
        }

        ChunkMemory theirs = recovered.Freeze().Clone();
        e2fsck.Store(theirs, shape.Length);
        FoundTree other = Read(theirs, isReadOnly: true, isTolerant: false);
        theirs.Recycle();
        if (other.Hash(hasAttributes: false) != tree.Hash(hasAttributes: false))
        {
            return $"e2fsck recovers something else than Penstock: {Differ(tree, other)}";
        }

        e2fsck.Load(recovered, shape.Length);
        (code, output) = e2fsck.Run("-fn");
        return code == 0 ? JudgeByKernel(before, tree) : $"after recovery e2fsck -fn ends with {code}: {output}";
    }

    /// <summary>The kernel recovers the same state to the same content; it takes no log as small as some are here.</summary>
    private string? JudgeByKernel(ChunkMemory before, FoundTree tree)
    {
        if (kernel is null || shape.LogBlocks is not null)
        {
            return null;
        }

        kernel.Load(before, shape.Length);
        FoundTree? theirs = kernel.Read(out string error);
        return theirs is null ? $"the kernel does not mount it: {error}"
            : theirs.Hash(hasAttributes: false) == tree.Hash(hasAttributes: false) ? null
            : $"the kernel recovers something else than Penstock: {Differ(tree, theirs)}";
    }

    private static string Differ(FoundTree ours, FoundTree theirs)
    {
        foreach ((string path, FoundEntry entry) in ours.Entries)
        {
            if (!theirs.Entries.TryGetValue(path, out FoundEntry? other))
            {
                return $"it has no {path}";
            }

            if ((other.Inode != entry.Inode && other.Inode != 0) || !other.Content.AsSpan().SequenceEqual(entry.Content))
            {
                return $"its {path} is another ({other.Content.Length} bytes, inode {other.Inode}; ours {entry.Content.Length} bytes, inode {entry.Inode})";
            }
        }

        return theirs.Entries.Keys.FirstOrDefault(p => !ours.Entries.ContainsKey(p)) is { } more ? $"it has {more}" : "a link leads elsewhere";
    }

    private Verdict JudgeUnjournalled(ChunkMemory image, ulong imageHash, CrashModel model, bool asksOutside)
    {
        Recovered asItIs = _images.Find(imageHash) ?? _images.Add(imageHash, ReadUnjournalled(image));
        string? problem = asItIs.Problem ?? TreeComparison.Judge(asItIs.Tree!, model);
        if ((problem is null && !asksOutside) || e2fsck is null)
        {
            return new Verdict(problem, asItIs.VolumeHash, asItIs.ContentHash, AskedOutside: false);
        }

        e2fsck.Load(image, shape.Length);
        (int code, string output) = e2fsck.Run("-fy");
        if (code > E2fsck.Repaired)
        {
            return new Verdict($"e2fsck -fy ends with {code}: {output}", 0, 0, AskedOutside: true);
        }

        e2fsck.Store(image, shape.Length);

        // A name that stood in two blocks of a directory being split may stay twice; of what is there nothing may be unreadable.
        FoundTree tree = Read(image, isReadOnly: false, isTolerant: true);
        problem = tree.Unreadable.Find(static u => !u.EndsWith(FoundTree.ListedTwice, StringComparison.Ordinal)) ?? TreeComparison.Judge(tree, model) ?? Check(image);
        return new Verdict(problem is null ? null : $"after e2fsck -fy: {problem}", HashOf(image), tree.Hash(), AskedOutside: true);
    }

    private Recovered ReadUnjournalled(ChunkMemory image)
    {
        try
        {
            FoundTree tree = Read(image, isReadOnly: true, isTolerant: true);
            return new Recovered(tree, null, HashOf(image), tree.Hash());
        }
        catch (FileSystemException e)
        {
            return new Recovered(null, e.Message, HashOf(image), 0);
        }
    }

    private ulong HashOf(ChunkMemory image) => image.HashContent(_made.JournalOffset, _made.JournalLength);

    private void Recover(ChunkMemory image)
    {
        var turns = new PlainTurns(image, shape.Length);
        turns.Complete(RecoverAsync(turns));
    }

    private static async Task RecoverAsync(PlainTurns turns)
    {
        var pages = new PageCache(turns.Scheduler, PageCacheBytes);
        Volume volume = await Volume.OpenAsync(turns.Device, new VolumeOptions { PageCache = pages, Scheduler = turns.Scheduler });
        await volume.DisposeAsync();
        pages.Abandon();
    }

    private static async Task RepairAsync(PlainTurns turns) =>
        await VolumeRepairer.RunAsync(turns.Device, new CheckOptions { Scheduler = turns.Scheduler, Parallelism = 1 }, CancellationToken.None);

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

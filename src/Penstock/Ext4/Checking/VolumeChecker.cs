using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Mapping;

namespace Penstock.Ext4.Checking;

/// <summary>The whole check of an ext2, ext3 or ext4 volume, pass by pass.</summary>
internal static class VolumeChecker
{
    /// <summary>Checks the volume on a device; writes nothing.</summary>
    public static async ValueTask<CheckReport> RunAsync(BlockDevice device, CheckOptions options, CancellationToken cancellationToken)
    {
        var log = new ProblemLog(options.MaxProblems);
        CheckRun? run = await OpenAsync(device, options, log, null).ConfigureAwait(false);
        if (run is null)
        {
            return new CheckReport
            {
                Verdict = CheckVerdict.CouldNotRun, Problems = log.Kept, ProblemCount = log.Count, HeldBack = log.HeldBack,
            };
        }

        var summary = new SummaryPass(run);
        if (SuperblockCheck.Run(run) && await MmpCheck.RunAsync(run).ConfigureAwait(false))
        {
            await RunPassesAsync(run, summary, cancellationToken).ConfigureAwait(false);
        }

        return new CheckReport
        {
            Verdict = log.Count > 0 ? CheckVerdict.ErrorsLeft : CheckVerdict.Clean,
            Problems = log.Kept,
            ProblemCount = log.Count,
            HeldBack = log.HeldBack,
            UsedInodes = summary.UsedInodes,
            Directories = summary.UsedDirectories,
            UsedBlocks = run.Used.CountAll() << run.Geometry.LogClusterRatio,
            Blocks = run.Geometry.BlockCount,
            Inodes = run.Geometry.InodeCount,
        };
    }

    /// <summary>One round of a repair: the passes up to the first that changes something.</summary>
    /// <returns>Whether something was changed.</returns>
    public static async ValueTask<bool> RepairAsync(BlockDevice device, CheckOptions options, Repair repair, CancellationToken cancellationToken)
    {
        var log = new ProblemLog(0);
        CheckRun? run = await OpenAsync(device, options, log, repair).ConfigureAwait(false);
        if (run is not null && !repair.HasChanged && SuperblockCheck.Run(run) && !repair.HasChanged
            && await MmpCheck.RunAsync(run).ConfigureAwait(false) && !repair.HasChanged)
        {
            await RunPassesAsync(run, new SummaryPass(run), cancellationToken).ConfigureAwait(false);
        }

        return repair.HasChanged;
    }

    private static async ValueTask RunPassesAsync(CheckRun run, SummaryPass summary, CancellationToken cancellationToken)
    {
        Func<ValueTask>[] passes =
        [
            () => new DescriptorCheck(run).RunAsync(),
            () => CheckInternalInodesAsync(run),
            () => QuotaCheck.StartAsync(run),
            () => new InodePass(run).RunAsync(),
            () => CheckSharedAsync(run),
            () => MakeRootAsync(run),
            () => new DirectoryPass(run).RunAsync(),
            () => new ConnectionPass(run).RunAsync(),
            () => new LinkPass(run).RunAsync(),
            () => run.Repair is { } repair ? new SummaryRepair(run, repair).RunAsync() : summary.RunAsync(),
            () => OrphanCheck.RunAsync(run),
            () => new QuotaCheck(run).RunAsync(),
            () => MakeJournalAsync(run),
            () => MakeResizeInodeAsync(run),
        ];
        foreach (Func<ValueTask> pass in passes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await pass().ConfigureAwait(false);
            if (run.Repair is { HasChanged: true })
            {
                return;
            }
        }
    }

    /// <summary>What is judged before all other inodes; a table of them that is lost gets another place first.</summary>
    private static async ValueTask CheckInternalInodesAsync(CheckRun run)
    {
        if (run.Repair is { } lost && lost.IsTableLost(0))
        {
            return;
        }

        await JournalCheck.RunAsync(run).ConfigureAwait(false);
        if (run.Repair is not { HasChanged: true })
        {
            await ResizeInodeCheck.RunAsync(run).ConfigureAwait(false);
        }

        if (run.Repair is { HasChanged: false } repair)
        {
            await new OrphanListRepair(run, repair).RunAsync().ConfigureAwait(false);
            await new OrphanFileRepair(run, repair).RunAsync().ConfigureAwait(false);
        }
    }

    private static async ValueTask CheckSharedAsync(CheckRun run)
    {
        if (run.Repair is { } repair)
        {
            await new SharedBlocksRepair(run, repair).RunAsync().ConfigureAwait(false);
            if (!repair.HasChanged)
            {
                await new RelocationRepair(run, repair).RunAsync().ConfigureAwait(false);
            }
        }
        else if (run.Shared.CountAll() is var shared and > 0 && !run.Has(ReadOnlyCompatFeatures.SharedBlocks))
        {
            run.Log.Problem("block", $"{shared} blocks", "they have more than one owner");
        }
    }

    /// <summary>The root comes before the directories: what leads to it would be found to lead nowhere.</summary>
    private static async ValueTask MakeRootAsync(CheckRun run)
    {
        if (run.Repair is { } repair && run.Directories.Find(LostAndFound.RootInode) is null)
        {
            repair.Note("directory", $"inode {LostAndFound.RootInode}", "there is no root directory");
            await repair.LostAndFound.MakeRootAsync().ConfigureAwait(false);
        }
    }

    private static ValueTask MakeJournalAsync(CheckRun run) =>
        run.Repair is { State.HasLostJournal: true } repair ? new JournalRepair(run, repair).MakeAsync() : ValueTask.CompletedTask;

    private static ValueTask MakeResizeInodeAsync(CheckRun run) =>
        run.Repair is { State.NeedsResizeInode: true } repair ? ResizeInodeRepair.RunAsync(run, repair) : ValueTask.CompletedTask;

    /// <summary>The volume as its primary superblock and descriptors tell it, or else a backup; null if it cannot be checked.</summary>
    private static async ValueTask<CheckRun?> OpenAsync(BlockDevice device, CheckOptions options, ProblemLog log, Repair? repair)
    {
        Superblock? primary = await SuperblockSearch.ReadPrimaryAsync(device, log).ConfigureAwait(false);
        if (primary is not null)
        {
            CheckRun run = Create(device, options, log, primary, null, repair);
            var descriptors = new DescriptorCheck(run);
            await descriptors.ReadAsync().ConfigureAwait(false);
            if (descriptors.ArePlausible())
            {
                return run;
            }

            log.Note("group descriptors", "primary", "they look wrong: a backup is tried");
            return repair is null
                ? await OpenBackupAsync(device, options, log, null, primary).ConfigureAwait(false) ?? run
                : await RestoreDescriptorsAsync(device, options, run, repair).ConfigureAwait(false);
        }

        CheckRun? backup = await OpenBackupAsync(device, options, log, repair).ConfigureAwait(false);
        if (backup is null)
        {
            return await OpenMiscountedAsync(device, options, log, repair).ConfigureAwait(false);
        }

        if (repair is not null)
        {
            await repair.RestorePrimaryAsync().ConfigureAwait(false);
        }

        return backup;
    }

    private static async ValueTask<CheckRun?> OpenMiscountedAsync(BlockDevice device, CheckOptions options, ProblemLog log, Repair? repair)
    {
        if (await SuperblockSearch.ReadMiscountedAsync(device).ConfigureAwait(false) is not var (found, fault))
        {
            return null;
        }

        CheckRun run = Create(device, options, log, found, null, repair);
        if (run.Mends("superblock", "offset 1024", fault))
        {
            await repair!.WriteSuperblockAsync().ConfigureAwait(false);
        }

        await new DescriptorCheck(run).ReadAsync().ConfigureAwait(false);
        return run;
    }

    /// <summary>Takes a backup's descriptors if they are better; else those of the volume stay, and what they say wrongly is repaired one by one.</summary>
    private static async ValueTask<CheckRun> RestoreDescriptorsAsync(BlockDevice device, CheckOptions options, CheckRun run, Repair repair)
    {
        CheckRun? backup = await OpenBackupAsync(device, options, new ProblemLog(0), null, run.Superblock).ConfigureAwait(false);
        bool isSame = backup is not null && backup.BlockSize == run.BlockSize && backup.Geometry.GroupCount == run.Geometry.GroupCount
            && backup.Geometry.DescriptorSize == run.Geometry.DescriptorSize && backup.Geometry.InodesPerGroup == run.Geometry.InodesPerGroup;
        repair.Attach(run);
        if (isSame && new DescriptorCheck(backup!).ArePlausible())
        {
            backup!.Descriptors.CopyTo(run.Descriptors, 0);
            await repair.RestorePrimaryAsync().ConfigureAwait(false);
        }

        return run;
    }

    private static async ValueTask<CheckRun?> OpenBackupAsync(
        BlockDevice device, CheckOptions options, ProblemLog log, Repair? repair, Superblock? primary = null)
    {
        if (await SuperblockSearch.ReadBackupAsync(device, primary).ConfigureAwait(false) is not ({ } backup, var block))
        {
            return null;
        }

        CheckRun run = Create(device, options, log, backup, block, repair);
        await new DescriptorCheck(run).ReadAsync().ConfigureAwait(false);
        return run;
    }

    private static CheckRun Create(
        BlockDevice device, CheckOptions options, ProblemLog log, Superblock superblock, VolumeBlock? block, Repair? repair)
    {
        BlockDevice blocks = SubBlockDevice.For(device, superblock.BlockSize);
        var primary = new VolumeBlock(superblock.BlockSize == Superblock.MinBlockSize ? 1u : 0u);
        var run = new CheckRun(new VolumeStore(blocks, superblock.BlockSize), superblock, log, options)
        {
            SuperblockAt = block ?? primary, Repair = repair,
        };
        repair?.Attach(run);
        return run;
    }
}

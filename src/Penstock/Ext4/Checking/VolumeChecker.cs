using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Checking;

/// <summary>The whole check of an ext2, ext3 or ext4 volume, pass by pass.</summary>
internal static class VolumeChecker
{
    /// <summary>Checks the volume on a device; writes nothing.</summary>
    public static async ValueTask<CheckReport> RunAsync(BlockDevice device, CheckOptions options, CancellationToken cancellationToken)
    {
        var log = new ProblemLog(options.MaxProblems);
        CheckRun? run = await OpenAsync(device, options, log).ConfigureAwait(false);
        if (run is null)
        {
            return new CheckReport
            {
                Verdict = CheckVerdict.CouldNotRun, Problems = log.Kept, ProblemCount = log.Count, HeldBack = log.HeldBack,
            };
        }

        var summary = new SummaryPass(run);
        if (SuperblockCheck.Run(run))
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

    private static async ValueTask RunPassesAsync(CheckRun run, SummaryPass summary, CancellationToken cancellationToken)
    {
        new DescriptorCheck(run).Run();
        await JournalCheck.RunAsync(run).ConfigureAwait(false);
        QuotaCheck.Start(run);
        cancellationToken.ThrowIfCancellationRequested();
        await new InodePass(run).RunAsync().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (run.Shared.CountAll() is var shared and > 0 && !run.Has(ReadOnlyCompatFeatures.SharedBlocks))
        {
            run.Log.Problem("block", $"{shared} blocks", "they have more than one owner");
        }

        await new DirectoryPass(run).RunAsync().ConfigureAwait(false);
        new ConnectionPass(run).Run();
        new LinkPass(run).Run();
        cancellationToken.ThrowIfCancellationRequested();
        await summary.RunAsync().ConfigureAwait(false);
        await OrphanCheck.RunAsync(run).ConfigureAwait(false);
        await new QuotaCheck(run).RunAsync().ConfigureAwait(false);
    }

    /// <summary>The volume as its primary superblock and descriptors tell it, or else a backup; null if it cannot be checked.</summary>
    private static async ValueTask<CheckRun?> OpenAsync(BlockDevice device, CheckOptions options, ProblemLog log)
    {
        Superblock? primary = await SuperblockSearch.ReadPrimaryAsync(device, log).ConfigureAwait(false);
        if (primary is not null)
        {
            CheckRun run = Create(device, options, log, primary, null);
            var descriptors = new DescriptorCheck(run);
            await descriptors.ReadAsync().ConfigureAwait(false);
            if (descriptors.ArePlausible())
            {
                return run;
            }

            log.Note("group descriptors", "primary", "they look wrong: a backup is tried");
            return await OpenBackupAsync(device, options, log).ConfigureAwait(false) ?? run;
        }

        return await OpenBackupAsync(device, options, log).ConfigureAwait(false);
    }

    private static async ValueTask<CheckRun?> OpenBackupAsync(BlockDevice device, CheckOptions options, ProblemLog log)
    {
        if (await SuperblockSearch.ReadBackupAsync(device).ConfigureAwait(false) is not ({ } backup, var block))
        {
            return null;
        }

        CheckRun run = Create(device, options, log, backup, block);
        await new DescriptorCheck(run).ReadAsync().ConfigureAwait(false);
        return run;
    }

    private static CheckRun Create(BlockDevice device, CheckOptions options, ProblemLog log, Superblock superblock, VolumeBlock? block)
    {
        BlockDevice blocks = SubBlockDevice.For(device, superblock.BlockSize);
        var primary = new VolumeBlock(superblock.BlockSize == Superblock.MinBlockSize ? 1u : 0u);
        return new CheckRun(new VolumeStore(blocks, superblock.BlockSize), superblock, log, options) { SuperblockAt = block ?? primary };
    }
}

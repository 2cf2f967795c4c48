using Penstock.Caching;
using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Journal.Format;
using Penstock.Journal.Recovery;

namespace Penstock.Ext4.Recovery;

/// <summary>
/// Brings a volume to the state that its journal promises, before it is opened: replays the log, or lays it over the device where nothing may be
/// written. A log that waits counts whether or not the superblock says so (needs_recovery): were it passed over, the next to replay it
/// would undo what was changed since.
/// </summary>
/// <remarks>
/// Rules: (1) what the log holds is durable in its place before the log is emptied; (2) an error that the journal remembers is durable in the superblock
/// before the journal forgets it; (3) a damaged log, or one with fast commits behind it that do not fit the volume, is not replayed: what of it is whole is laid over the
/// device, and the volume is not written; (4) what fast commits change counts all at once.
/// </remarks>
internal sealed class VolumeRecovery
{
    private readonly BlockDevice _device;
    private readonly PageCache _pages;
    private readonly Ext4OpenOptions _options;
    private readonly Superblock _superblock;
    private readonly bool _mayWrite;

    private VolumeRecovery(BlockDevice device, PageCache pages, Ext4OpenOptions options, Superblock superblock, bool mayWrite)
    {
        _device = device;
        _pages = pages;
        _options = options;
        _superblock = superblock;
        _mayWrite = mayWrite;
    }

    /// <summary>Recovers a volume.</summary>
    /// <param name="device">The volume's device.</param>
    /// <param name="pages">The page cache of whoever opens it.</param>
    /// <param name="options">How it is opened.</param>
    /// <param name="superblock">Its superblock, as read from the device.</param>
    /// <param name="mayWrite">Whether the log may be replayed: nobody else has the volume.</param>
    /// <exception cref="DeviceException">The device failed.</exception>
    /// <exception cref="CorruptVolumeException">What was replayed is no sound superblock.</exception>
    public static async ValueTask<RecoveredVolume> RunAsync(
        BlockDevice device, PageCache pages, Ext4OpenOptions options, Superblock superblock, bool mayWrite)
    {
        if (!superblock.Has(CompatFeatures.HasJournal))
        {
            return new RecoveredVolume(device, superblock)
            {
                ReadOnlyReason = superblock.Has(IncompatFeatures.NeedsRecovery) ? "its journal is missing (needs_recovery is set, has_journal is not)" : null,
            };
        }

        LogArea area;
        try
        {
            area = await new VolumeRecovery(device, pages, options, superblock, mayWrite).FindAsync().ConfigureAwait(false);
        }
        catch (FileSystemException e) when (e is CorruptVolumeException or UnsupportedFeatureException)
        {
            return new RecoveredVolume(device, superblock) { ReadOnlyReason = $"its journal cannot be used: {e.Message}" };
        }

        RecoveredVolume? recovered = null;
        try
        {
            recovered = await new VolumeRecovery(device, pages, options, superblock, mayWrite).RecoverAsync(area).ConfigureAwait(false);
            return recovered;
        }
        finally
        {
            if (recovered?.Summary is not { IsOverlaid: true })
            {
                area.Dispose();
            }
        }
    }

    private async ValueTask<LogArea> FindAsync()
    {
        Ext4FileSystem fileSystem = Ext4FileSystem.OpenForRecovery(_device, _pages, _superblock);
        await using (fileSystem.ConfigureAwait(false))
        {
            return await JournalFinder.OpenAsync(fileSystem, _options.JournalDevice).ConfigureAwait(false);
        }
    }

    private async ValueTask<RecoveredVolume> RecoverAsync(LogArea area)
    {
        if (!area.Superblock.NeedsRecovery)
        {
            return await FinishAsync(area, summary: null).ConfigureAwait(false);
        }

        using var recovery = new LogRecovery(area);
        await recovery.ScanAsync((ulong)(_device.Length / _superblock.BlockSize)).ConfigureAwait(false);
        FastCommits fastCommits = recovery.Contents.Damage is { } damage
            ? FastCommits.None with { Problem = $"its journal is damaged ({damage.Message}); run e2fsck" }
            : await FastCommits.ReadAsync(area, recovery, _superblock).ConfigureAwait(false);
        if (!_mayWrite || fastCommits.Problem is not null)
        {
            return await OverlayAsync(area, recovery, fastCommits).ConfigureAwait(false);
        }

        var found = new RecoverySummary(recovery.Contents.TransactionCount, 0, 0, IsOverlaid: false) { FastCommitCount = fastCommits.Count };
        if (!fastCommits.IsEmpty && await AppendAsync(area, recovery, fastCommits).ConfigureAwait(false) is { } reason)
        {
            return await OverlayAsync(area, recovery, FastCommits.None with { Problem = reason }).ConfigureAwait(false);
        }

        return await ReplayAsync(area, recovery, found).ConfigureAwait(false);
    }

    private async ValueTask<RecoveredVolume> ReplayAsync(LogArea area, LogRecovery recovery, RecoverySummary found)
    {
        await recovery.ReplayAsync(_device).ConfigureAwait(false);
        RecoverySummary summary = found with { BlockCount = recovery.ReplayedCount, RevokedCount = recovery.RevokedCount };

        // One further than the first that was not replayed: whatever stands in the log behind its end is never due again.
        area.Superblock.Sequence = recovery.Contents.End.Next.Value;
        return await FinishAsync(area, summary).ConfigureAwait(false);
    }

    /// <summary>
    /// Makes a transaction of what fast commits change, behind the log: it counts from its commit block on, and they, being of its number, no longer do.
    /// The log is then scanned anew. Why it cannot be done, or null.
    /// </summary>
    private async ValueTask<string?> AppendAsync(LogArea area, LogRecovery recovery, FastCommits fastCommits)
    {
        OverlaidDevice overlaid = await recovery.OverlayAsync(_device).ConfigureAwait(false);
        (SortedDictionary<ulong, byte[]> changed, string? reason) = await ApplyAsync(overlaid, fastCommits).ConfigureAwait(false);
        using var append = new LogAppend(area);
        if (reason is not null || !append.HasRoom(changed.Count))
        {
            return reason ?? "what its fast commits change does not fit its journal; run e2fsck";
        }

        await recovery.ReplayAsync(_device).ConfigureAwait(false);
        ulong now = (ulong)(_device.Scheduler.UnixNanoseconds / Files.Timestamp.NanosecondsPerSecond);
        await append.WriteAsync(recovery.Contents.EndBlock, recovery.Contents.End, changed, now).ConfigureAwait(false);
        recovery.Reader.Forget();
        await recovery.ScanAsync((ulong)(_device.Length / _superblock.BlockSize)).ConfigureAwait(false);
        return null;
    }

    private async ValueTask<(SortedDictionary<ulong, byte[]> Changed, string? Reason)> ApplyAsync(BlockDevice device, FastCommits fastCommits)
    {
        try
        {
            return (await FastCommitReplay.RunAsync(device, _pages, fastCommits.Tags).ConfigureAwait(false), null);
        }
        catch (FileSystemException e) when (e is not DeviceException)
        {
            return ([], $"its fast commits cannot be applied ({e.Message}); run e2fsck");
        }
    }

    private async ValueTask<RecoveredVolume> OverlayAsync(LogArea area, LogRecovery recovery, FastCommits fastCommits)
    {
        OverlaidDevice overlaid = await recovery.OverlayAsync(_device).ConfigureAwait(false);
        long blocks = recovery.ReplayedCount;
        string? reason = fastCommits.Problem;
        if (!fastCommits.IsEmpty)
        {
            (SortedDictionary<ulong, byte[]> changed, string? unfit) = await ApplyAsync(overlaid, fastCommits).ConfigureAwait(false);
            overlaid = overlaid.With(changed);
            reason ??= unfit;
        }

        return new RecoveredVolume(overlaid, await ReadSuperblockAsync(overlaid).ConfigureAwait(false), area)
        {
            Summary = new RecoverySummary(recovery.Contents.TransactionCount, blocks, recovery.RevokedCount, IsOverlaid: true) { FastCommitCount = fastCommits.Count },
            ReadOnlyReason = reason,
            HasStaleTotals = true,
        };
    }

    /// <summary>The log has nothing more that is not in its place: says so on the device, unless that is known already.</summary>
    private async ValueTask<RecoveredVolume> FinishAsync(LogArea area, RecoverySummary? summary)
    {
        Superblock superblock = summary is null ? _superblock : await ReadSuperblockAsync(_device).ConfigureAwait(false);
        bool hasError = area.Superblock.ErrorNumber != 0;
        bool isFlagged = superblock.Has(IncompatFeatures.NeedsRecovery);
        if (!_mayWrite || (summary is null && !hasError && !isFlagged))
        {
            return new RecoveredVolume(_device, superblock) { HasStaleTotals = isFlagged };
        }

        if (hasError)
        {
            superblock.State |= VolumeStates.HasErrors;
            await StoreAsync(superblock).ConfigureAwait(false);
        }

        area.Superblock.Start = 0;
        area.Superblock.ErrorNumber = 0;
        StoreOutcome emptied = await area.WriteSuperblockAsync().ConfigureAwait(false);
        if (emptied.IsFailed)
        {
            throw new DeviceException(emptied.Fault, area.Device.Name, emptied.Step!, emptied.Offset);
        }

        superblock.Features = superblock.Features.Without(IncompatFeatures.NeedsRecovery);
        await CountFreeAsync(superblock).ConfigureAwait(false);
        await StoreAsync(superblock).ConfigureAwait(false);
        return new RecoveredVolume(_device, superblock) { Summary = summary };
    }

    private async ValueTask<Superblock> ReadSuperblockAsync(BlockDevice device)
    {
        Superblock superblock = Superblock.Parse(await SuperblockKeeper.ReadAsync(device).ConfigureAwait(false));
        FeaturePolicy.RequireReadable(superblock, device.Name);
        SuperblockValidation.CheckAgainstDevice(superblock, device.Length);
        return superblock;
    }

    /// <summary>Nobody keeps the totals of the superblock true while a volume is open; the descriptors went through the log.</summary>
    private async ValueTask CountFreeAsync(Superblock superblock)
    {
        Ext4FileSystem fileSystem = Ext4FileSystem.OpenForRecovery(_device, _pages, superblock);
        await using (fileSystem.ConfigureAwait(false))
        {
            (ulong clusters, ulong inodes) = await fileSystem.Volume.Groups.CountFreeAsync().ConfigureAwait(false);
            if (!fileSystem.Volume.IsDamaged)
            {
                superblock.FreeBlockCount = clusters << fileSystem.Volume.Geometry.LogClusterRatio;
                superblock.FreeInodeCount = (uint)inodes;
            }
        }
    }

    private ValueTask StoreAsync(Superblock superblock) => SuperblockKeeper.WriteAsync(_device, superblock);
}

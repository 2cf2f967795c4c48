using Penstock.Caching;
using Penstock.Devices;
using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Ext4.Recovery;
using Penstock.Files;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>
/// Repairs a volume: rounds of a check that puts right what it finds, on a device that holds the writes back; then a check of the result, and only
/// a volume that has become better is written.
/// </summary>
internal sealed class VolumeRepairer(BlockDevice device, CheckOptions options)
{
    /// <summary>More than the passes of a check and all that they can set free for each other; hostile volumes end here.</summary>
    private const int MaxRounds = 200;

    /// <summary>Beyond this much is written before the whole is known: memory must stay bounded.</summary>
    public const long MaxHeldBytes = 96L << 20;

    private readonly HeldWritesDevice _held = new(device);
    private readonly RepairLog _repaired = new(options.MaxProblems);
    private readonly Timestamp _now = new(device.Scheduler.UnixNanoseconds / Timestamp.NanosecondsPerSecond);
    private readonly RepairState _state = new();
    private UndoFile? _undo;

    /// <summary>Repairs the volume on a device.</summary>
    public static async ValueTask<CheckReport> RunAsync(BlockDevice device, CheckOptions options, CancellationToken cancellationToken)
    {
        await ReplayExternalAsync(device, options).ConfigureAwait(false);
        var repairer = new VolumeRepairer(device, options);
        try
        {
            return await repairer.RunAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            repairer._undo?.Dispose();
        }
    }

    /// <summary>
    /// A journal on a device of its own is replayed in place: were the blocks held back, it would be empty before they are on the volume.
    /// </summary>
    private static async ValueTask ReplayExternalAsync(BlockDevice device, CheckOptions options)
    {
        if (options.JournalDevice is not { } name
            || await SuperblockSearch.ReadPrimaryAsync(device, new ProblemLog(0)).ConfigureAwait(false) is not { JournalInode: 0 } superblock)
        {
            return;
        }

        BlockDevice journal = await DeviceOpener.OpenAsync(name, new DeviceOptions { Scheduler = options.Scheduler }).ConfigureAwait(false);
        await using (journal.ConfigureAwait(false))
        {
            var how = new Ext4OpenOptions { JournalDevice = journal };
            (await VolumeRecovery.RunAsync(device, PageCache.GetShared(device.Scheduler), how, superblock, mayWrite: true).ConfigureAwait(false)).Dispose();
        }
    }

    private async ValueTask<CheckReport> RunAsync(CancellationToken cancellationToken)
    {
        CheckReport before = await VolumeChecker.RunAsync(_held, options, cancellationToken).ConfigureAwait(false);
        if (before.Verdict == CheckVerdict.CouldNotRun)
        {
            return before;
        }

        bool isChanged = await RunRoundsAsync(cancellationToken).ConfigureAwait(false);
        if (!isChanged)
        {
            return before;
        }

        CheckReport after = await VolumeChecker.RunAsync(_held, options, cancellationToken).ConfigureAwait(false);
        bool isBetter = after.Verdict == CheckVerdict.Clean || (after.Verdict == CheckVerdict.ErrorsLeft && after.ProblemCount < before.ProblemCount);
        if (!isBetter)
        {
            // Nothing has been written, unless there was too much to hold.
            _held.Drop();
            return before;
        }

        await CommitAsync().ConfigureAwait(false);
        await FinishUndoAsync().ConfigureAwait(false);
        return Report(after);
    }

    /// <summary>Rounds until one changes nothing.</summary>
    private async ValueTask<bool> RunRoundsAsync(CancellationToken cancellationToken)
    {
        bool isChanged = false;
        for (int round = 0; round < MaxRounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var repair = new Repair(_repaired, _state, _held, _now);
            if (!await VolumeChecker.RepairAsync(_held, options, repair, cancellationToken).ConfigureAwait(false))
            {
                break;
            }

            isChanged = true;
            if (_state.NeedsReplay)
            {
                (_state.NeedsReplay, _state.HasTriedReplay) = (false, true);
                await ReplayAsync().ConfigureAwait(false);
            }

            if (_held.HeldBytes > MaxHeldBytes)
            {
                await CommitAsync().ConfigureAwait(false);
            }
        }

        return isChanged;
    }

    /// <summary>Replays the log, as whoever opens the volume to write it does; a log that is damaged stays as it is.</summary>
    private async ValueTask ReplayAsync()
    {
        if (await SuperblockSearch.ReadPrimaryAsync(_held, new ProblemLog(0)).ConfigureAwait(false) is not { } superblock)
        {
            return;
        }

        try
        {
            PageCache pages = PageCache.GetShared(device.Scheduler);
            using RecoveredVolume recovered = await VolumeRecovery.RunAsync(_held, pages, new Ext4OpenOptions(), superblock, mayWrite: true)
                .ConfigureAwait(false);
            if (recovered.Summary is { IsOverlaid: false } summary)
            {
                _repaired.Add("journal", $"inode {superblock.JournalInode}", summary.ToString());
            }
        }
        catch (FileSystemException e) when (e is CorruptVolumeException or UnsupportedFeatureException)
        {
            // What keeps the log from being replayed is repaired, or else the log is given up, and told, in the next round.
        }
    }

    private async ValueTask CommitAsync()
    {
        if (options.UndoFile is { } path && _undo is null)
        {
            Superblock? superblock = await SuperblockSearch.ReadPrimaryAsync(_held, new ProblemLog(1)).ConfigureAwait(false);
            _undo = await UndoFile.CreateAsync(path, device.Scheduler, superblock?.Uuid ?? default, device.Length).ConfigureAwait(false);
        }

        await _held.CommitAsync(_undo).ConfigureAwait(false);
    }

    private async ValueTask FinishUndoAsync()
    {
        if (_undo is null)
        {
            return;
        }

        using var buffer = new AlignedBuffer(HeldWritesDevice.UnitSize, Math.Max(4096, device.MemoryAlignment));
        int length = (int)Math.Min(HeldWritesDevice.UnitSize, device.Length);
        IoResult read = await device.ReadAsync(0, buffer.Segment.Slice(0, length)).ConfigureAwait(false);
        if (!read.IsFailed)
        {
            await _undo.FinishAsync(UndoHeader.HashOf(buffer.GetSpan()[..length])).ConfigureAwait(false);
        }
    }

    private CheckReport Report(CheckReport after) => after with
    {
        Verdict = after.Verdict == CheckVerdict.Clean ? CheckVerdict.Repaired : after.Verdict,
        Problems = [.. _repaired.Kept, .. after.Problems],
        HeldBack = after.HeldBack + _repaired.Count - _repaired.Kept.Count,
        RepairedCount = _repaired.Count,
    };
}

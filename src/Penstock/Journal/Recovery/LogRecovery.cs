using Penstock.Devices;
using Penstock.Journal.Format;

namespace Penstock.Journal.Recovery;

/// <summary>
/// Recovers a volume from its log in three passes, as every user of jbd2 does: where does the log end, which blocks were revoked, what is the newest
/// copy of the others. The copies then go to their places, or are laid over the volume for reading only.
/// See https://docs.kernel.org/filesystems/ext4/journal.html.
/// </summary>
/// <remarks>
/// Invariants: (1) nothing is written before the whole log has been judged; (2) no copy goes to a place beyond the volume or inside the journal;
/// (3) the log is emptied only after every copy is on the device, durably, so a recovery that is itself cut off begins anew.
/// </remarks>
internal sealed class LogRecovery : IDisposable
{
    private readonly LogArea _area;
    private readonly LogReader _reader;
    private readonly long _blocksOfPart;
    private LogContents? _contents;

    /// <param name="area">The journal; it stays the caller's.</param>
    /// <param name="blocksOfPart">How many blocks are kept in memory at a time, about.</param>
    public LogRecovery(LogArea area, long blocksOfPart = ReplayMap.DefaultBlocksOfPart)
    {
        _area = area;
        _blocksOfPart = blocksOfPart;
        _reader = new LogReader(area);
    }

    /// <summary>What the log holds.</summary>
    /// <exception cref="InvalidOperationException">It was not scanned yet.</exception>
    public LogContents Contents => _contents ?? throw new InvalidOperationException("The log was not scanned yet.");

    public LogReader Reader => _reader;

    /// <summary>How many copies were not replayed, because they had been revoked.</summary>
    public long RevokedCount { get; private set; }

    /// <summary>How many blocks were replayed, or laid over the volume.</summary>
    public long ReplayedCount { get; private set; }

    /// <summary>The first pass. What damage it finds is noted, not thrown.</summary>
    /// <exception cref="DeviceException">The log could not be read.</exception>
    public async ValueTask ScanAsync(ulong volumeBlocks)
    {
        _contents = await new LogScan(_area, _reader, volumeBlocks).RunAsync().ConfigureAwait(false);
        if (_contents.BadCopies.Count > 0)
        {
            await LookForBadCopiesAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Writes the blocks to their places and flushes the device. The log stays as it is.</summary>
    /// <exception cref="DeviceException">A block could not be read or written.</exception>
    public async ValueTask ReplayAsync(BlockDevice volume)
    {
        ReplayedCount = 0;
        var map = new ReplayMap(_area, _reader, Contents, _blocksOfPart);
        using (var writer = new ReplayWriter(_reader, volume, _area.Superblock.BlockSize))
        {
            for (ulong part = 0; part < map.PartCount; part++)
            {
                Dictionary<ulong, LoggedCopy> copies = await map.BuildAsync(part).ConfigureAwait(false);
                await writer.WriteAsync(copies).ConfigureAwait(false);
                ReplayedCount += copies.Count;
            }
        }

        RevokedCount = map.RevokedCount;
        IoResult flushed = await volume.FlushAsync().ConfigureAwait(false);
        if (flushed.IsFailed)
        {
            throw new DeviceException(flushed.Fault, volume.Name, "what was replayed could not be flushed");
        }
    }

    /// <summary>The volume as it would be after a replay, for reading only. The journal must stay open as long as that device is.</summary>
    /// <exception cref="DeviceException">The log could not be read.</exception>
    /// <exception cref="FileSystemException">The log holds more blocks than are kept in memory.</exception>
    public async ValueTask<OverlaidDevice> OverlayAsync(BlockDevice volume)
    {
        var map = new ReplayMap(_area, _reader, Contents, _blocksOfPart);
        var all = new Dictionary<ulong, LoggedCopy>();
        for (ulong part = 0; part < map.PartCount; part++)
        {
            foreach ((ulong place, LoggedCopy copy) in await map.BuildAsync(part).ConfigureAwait(false))
            {
                all.Add(place, copy);
            }

            if (all.Count > OverlaidDevice.MaxBlocks)
            {
                throw new FileSystemException(
                    IoFault.NoMemory, $"{volume.Name}: the journal holds more than {OverlaidDevice.MaxBlocks} blocks; open the volume for writing once");
            }
        }

        (ReplayedCount, RevokedCount) = (all.Count, map.RevokedCount);
        return new OverlaidDevice(volume, _area, all);
    }

    public void Dispose() => _reader.Dispose();

    /// <summary>A copy that was revoked, or belongs to a transaction behind the end, does no harm.</summary>
    private async ValueTask LookForBadCopiesAsync()
    {
        var map = new ReplayMap(_area, _reader, Contents, _blocksOfPart);
        for (ulong part = 0; part < map.PartCount && map.Damage is null; part++)
        {
            await map.BuildAsync(part).ConfigureAwait(false);
        }

        Contents.Damage ??= map.Damage;
    }
}

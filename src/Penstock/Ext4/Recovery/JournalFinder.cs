using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Recovery;

/// <summary>Finds the blocks of a volume's journal: those of an inode, or of a device of its own.</summary>
internal static class JournalFinder
{
    /// <summary>More pieces than any journal was ever made of.</summary>
    private const int MostRuns = 1 << 16;

    /// <summary>Opens the journal of a volume that has one.</summary>
    /// <param name="fileSystem">The volume, as it lies on the device.</param>
    /// <param name="external">The device with its journal, if it has one of its own and that was given.</param>
    /// <exception cref="CorruptVolumeException">The journal's inode, map or superblock is damaged, or it is another volume's.</exception>
    /// <exception cref="UnsupportedFeatureException">The journal's device was not given, or the journal has features that are not known.</exception>
    /// <exception cref="DeviceException">It could not be read.</exception>
    public static ValueTask<LogArea> OpenAsync(Ext4FileSystem fileSystem, BlockDevice? external)
    {
        Superblock superblock = fileSystem.Volume.Superblock;
        return superblock.JournalInode != 0 ? OpenInodeAsync(fileSystem, superblock.JournalInode)
            : external is not null ? OpenDeviceAsync(external, superblock)
            : throw new UnsupportedFeatureException(
                ["journal_dev"], $"the journal is on a device of its own (UUID {superblock.JournalUuid}), which was not given (--journal DEVICE)");
    }

    private static async ValueTask<LogArea> OpenInodeAsync(Ext4FileSystem fileSystem, uint number)
    {
        var inode = (Ext4Inode)await fileSystem.LoadAsync(new InodeNumber(number), InodePurpose.Internal).ConfigureAwait(false);
        if (inode.Kind != FileKind.Regular || inode.Mapper is null || inode.Attributes.Links == 0)
        {
            throw new CorruptVolumeException("superblock", "offset 1024", "s_journal_inum", $"{number}, which is no file of blocks");
        }

        List<BlockRun> runs = await ListRunsAsync(inode, (ulong)inode.Size / (uint)fileSystem.BlockSize).ConfigureAwait(false);
        return await LogArea.OpenAsync(fileSystem.Device, fileSystem.BlockSize, runs, inode.Number.ToString()).ConfigureAwait(false);
    }

    private static async ValueTask<List<BlockRun>> ListRunsAsync(Ext4Inode inode, ulong blocks)
    {
        var runs = new List<BlockRun>();
        for (ulong next = 0; next < blocks;)
        {
            BlockRun run = await inode.Mapper!.MapAsync(new FileBlock(next), blocks - next).ConfigureAwait(false);
            bool isSound = run.State == MapState.Mapped && inode.Volume.Geometry.Contains(run.Volume, run.Count);
            if (!isSound || runs.Count == MostRuns)
            {
                throw new CorruptVolumeException("journal", inode.Number.ToString(), "block map", isSound ? $"{MostRuns} pieces" : $"no written block for file block {next}");
            }

            next += run.Count;
            if (runs.Count > 0 && runs[^1].Volume + runs[^1].Count == run.Volume)
            {
                runs[^1] = runs[^1] with { Count = runs[^1].Count + run.Count };
            }
            else
            {
                runs.Add(run);
            }
        }

        return runs;
    }

    /// <summary>Opens the journal of a volume on a device of its own.</summary>
    /// <exception cref="CorruptVolumeException">It is damaged, or another volume's.</exception>
    /// <exception cref="UnsupportedFeatureException">It has features that are not known.</exception>
    /// <exception cref="DeviceException">It could not be read.</exception>
    public static async ValueTask<LogArea> OpenDeviceAsync(BlockDevice device, Superblock volume)
    {
        Superblock own = Superblock.Read(await SuperblockKeeper.ReadAsync(device).ConfigureAwait(false));
        const string Structure = "journal device";
        bool isJournal = own.Magic == Superblock.ExpectedMagic && own.Has(IncompatFeatures.JournalDevice);
        FormatCheck.Require(isJournal, Structure, device.Name, "s_magic", $"0x{own.Magic:x4}, features 0x{(uint)own.Features.Incompat:x}: no journal");
        FormatCheck.Require(own.Uuid == volume.JournalUuid, Structure, device.Name, "s_uuid", $"{own.Uuid}, expected {volume.JournalUuid}");
        FormatCheck.Require(
            own.LogBlockSize == volume.LogBlockSize, Structure, device.Name, "s_log_block_size", $"{own.LogBlockSize}, expected {volume.LogBlockSize}");
        ulong blocks = Math.Min(own.BlockCount, (ulong)(device.Length / volume.BlockSize));
        var all = new BlockRun(default, default, Math.Min(blocks, uint.MaxValue), MapState.Mapped);
        uint superblockBlock = ((uint)Superblock.VolumeOffset / (uint)volume.BlockSize) + 1;
        LogArea area = await LogArea.OpenAsync(device, volume.BlockSize, [all], device.Name, superblockBlock).ConfigureAwait(false);
        if (!area.Superblock.IsUsedBy(volume.Uuid))
        {
            area.Dispose();
            throw new CorruptVolumeException(Structure, device.Name, "s_users", $"not the volume's UUID {volume.Uuid}: the journal does not serve it");
        }

        return area;
    }
}

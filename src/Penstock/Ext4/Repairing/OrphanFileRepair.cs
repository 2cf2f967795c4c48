using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>The orphan file: the orphans that it names are ended, and it is empty then. One that is damaged is given up with its feature.</summary>
internal sealed class OrphanFileRepair(CheckRun run, Repair repair)
{
    private const int MostBlocks = 65536;
    private const string Structure = "orphan file";

    public async ValueTask RunAsync()
    {
        Superblock s = run.Superblock;
        if (!run.Has(CompatFeatures.OrphanFile))
        {
            if (run.Has(ReadOnlyCompatFeatures.OrphanPresent))
            {
                repair.Note("superblock", "offset 1024", "feature orphan_present is set, and orphan_file is not");
                await ClearPresentAsync().ConfigureAwait(false);
            }

            return;
        }

        using var peek = new InodePeek(run);
        uint number = s.OrphanFileInode;
        bool isPossible = number >= run.Geometry.FirstInode && number <= run.Geometry.InodeCount;
        InodeRecord? inode = isPossible ? await peek.ReadAsync(number).ConfigureAwait(false) : null;
        if (inode is null || !inode.IsRegular || inode.LinkCount == 0)
        {
            await GiveUpAsync(number, null).ConfigureAwait(false);
            return;
        }

        InodeRecord own = inode.Clone();
        List<DirectoryPlace> places = await new FileBlocks(run, MostBlocks).CollectAsync(own).ConfigureAwait(false);
        if ((ulong)places.Count < Math.Min(own.Size / (ulong)run.BlockSize, MostBlocks) || own.Size > (ulong)MostBlocks * (ulong)run.BlockSize)
        {
            await GiveUpAsync(number, own).ConfigureAwait(false);
            return;
        }

        await EmptyAsync(number, own, places).ConfigureAwait(false);
        if (run.Has(ReadOnlyCompatFeatures.OrphanPresent))
        {
            repair.Note("superblock", "offset 1024", "feature orphan_present is set");
            await ClearPresentAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask EmptyAsync(uint number, InodeRecord file, List<DirectoryPlace> places)
    {
        bool hasChecksum = run.Checksum.IsUsed;
        uint seed = hasChecksum ? run.Checksum.SeedOf(new InodeNumber(number), file.Generation) : 0;
        var list = new OrphanListRepair(run, repair);
        byte[] empty = new byte[run.BlockSize];
        using AlignedBuffer block = run.Store.Allocate(1);
        foreach (DirectoryPlace place in places)
        {
            await run.Store.ReadAsync(place.Volume, 1, block.Segment).ConfigureAwait(false);
            empty.AsSpan().Clear();
            OrphanBlock.WriteTail(empty, place.Volume, hasChecksum, seed);
            if (block.GetSpan().SequenceEqual(empty))
            {
                continue;
            }

            bool isSound = IsSound(block.GetSpan(), number, place.Volume, seed);
            if (isSound && !block.GetSpan()[..(OrphanBlock.SlotCount(run.BlockSize) * sizeof(uint))].ContainsAnyExcept((byte)0) && hasChecksum)
            {
                continue;
            }

            for (int slot = 0; isSound && slot < OrphanBlock.SlotCount(run.BlockSize); slot++)
            {
                await list.ReleaseIfOrphanAsync(OrphanBlock.ReadSlot(block.GetSpan(), slot)).ConfigureAwait(false);
            }

            repair.Note(Structure, $"inode {number}, block {place.Index}", isSound ? "it has inodes" : "it is damaged");
            await repair.WriteAsync(place.Volume, empty).ConfigureAwait(false);
        }
    }

    private bool IsSound(ReadOnlySpan<byte> block, uint number, ulong place, uint seed)
    {
        try
        {
            OrphanBlock.Check(block, new InodeBlockLocation(new InodeNumber(number), new VolumeBlock(place)), run.Geometry, run.Checksum.IsUsed, seed);
            return true;
        }
        catch (CorruptVolumeException)
        {
            return false;
        }
    }

    private async ValueTask GiveUpAsync(uint number, InodeRecord? inode)
    {
        repair.Note(Structure, $"inode {number}", "it is no sound file");
        FeatureSet features = run.Superblock.Features;
        run.Superblock.Features = features with
        {
            Compat = features.Compat & ~CompatFeatures.OrphanFile,
            ReadOnlyCompat = features.ReadOnlyCompat & ~ReadOnlyCompatFeatures.OrphanPresent,
        };
        run.Superblock.OrphanFileInode = 0;
        await repair.WriteSuperblockAsync().ConfigureAwait(false);
        if (inode is not null)
        {
            await repair.RemoveInodeAsync(number, inode).ConfigureAwait(false);
        }
    }

    private async ValueTask ClearPresentAsync()
    {
        FeatureSet features = run.Superblock.Features;
        run.Superblock.Features = features with { ReadOnlyCompat = features.ReadOnlyCompat & ~ReadOnlyCompatFeatures.OrphanPresent };
        await repair.WriteSuperblockAsync().ConfigureAwait(false);
    }
}

using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>The orphan file: the orphans that it names are ended, and it is empty then. One that is damaged is given up with its feature, and stays as a file.</summary>
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

            if (await OrphanCheck.FindStrayAsync(run).ConfigureAwait(false) is { } stray)
            {
                repair.Note("superblock", "offset 1024", stray);
                s.OrphanFileInode = 0;
                await repair.WriteSuperblockAsync().ConfigureAwait(false);
            }

            return;
        }

        using var peek = new InodePeek(run);
        uint number = s.OrphanFileInode;
        bool isPossible = number >= run.Geometry.FirstInode && number <= run.Geometry.InodeCount;
        InodeRecord? inode = isPossible ? await peek.ReadAsync(number).ConfigureAwait(false) : null;
        if (inode is null || !inode.IsRegular || inode.LinkCount == 0)
        {
            await GiveUpAsync(number).ConfigureAwait(false);
            return;
        }

        InodeRecord own = inode.Clone();
        List<DirectoryPlace> places = await new FileBlocks(run, MostBlocks).CollectAsync(own).ConfigureAwait(false);
        bool isWhole = (ulong)places.Count >= Math.Min(own.Size / (ulong)run.BlockSize, MostBlocks) && own.Size <= (ulong)MostBlocks * (ulong)run.BlockSize;
        if (!isWhole || !await LooksLikeOneAsync(places).ConfigureAwait(false))
        {
            await GiveUpAsync(number).ConfigureAwait(false);
            return;
        }

        await EmptyAsync(number, own, places).ConfigureAwait(false);
        if (run.Has(ReadOnlyCompatFeatures.OrphanPresent))
        {
            repair.Note("superblock", "offset 1024", "feature orphan_present is set");
            await ClearPresentAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Whether any block is one of an orphan file: else the superblock leads to somebody's own file, which must not be overwritten.</summary>
    private async ValueTask<bool> LooksLikeOneAsync(List<DirectoryPlace> places)
    {
        using AlignedBuffer block = run.Store.Allocate(1);
        foreach (DirectoryPlace place in places)
        {
            if (await run.Store.ReadAsync(place.Volume, 1, block.Segment).ConfigureAwait(false) && OrphanBlock.HasMagic(block.GetSpan()))
            {
                return true;
            }
        }

        return false;
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

    /// <summary>Goes on without the feature. The file stays: where it has no name it will be found, for it may be somebody's own.</summary>
    private async ValueTask GiveUpAsync(uint number)
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
    }

    private async ValueTask ClearPresentAsync()
    {
        FeatureSet features = run.Superblock.Features;
        run.Superblock.Features = features with { ReadOnlyCompat = features.ReadOnlyCompat & ~ReadOnlyCompatFeatures.OrphanPresent };
        await repair.WriteSuperblockAsync().ConfigureAwait(false);
    }
}

using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Checking;

/// <summary>The orphan file: sound, and empty, since whoever closed the volume had no orphans.</summary>
internal static class OrphanCheck
{
    private const int MostBlocks = 65536;

    public static async ValueTask RunAsync(CheckRun run)
    {
        bool isPresent = run.Has(ReadOnlyCompatFeatures.OrphanPresent);
        if (!run.Has(CompatFeatures.OrphanFile))
        {
            if (isPresent)
            {
                run.Log.Problem("superblock", "offset 1024", "feature orphan_present is set, and orphan_file is not");
            }

            if (await FindStrayAsync(run).ConfigureAwait(false) is { } stray)
            {
                run.Log.Problem("superblock", "offset 1024", stray);
            }

            return;
        }

        uint number = run.Superblock.OrphanFileInode;
        using var peek = new InodePeek(run);
        bool isPossible = number >= run.Geometry.FirstInode && number <= run.Geometry.InodeCount;
        InodeRecord? inode = isPossible ? await peek.ReadAsync(number).ConfigureAwait(false) : null;
        if (inode is null || !inode.IsRegular || inode.LinkCount == 0)
        {
            run.Log.Problem("orphan file", $"inode {number}", "it is no file");
            return;
        }

        bool isEmpty = await CheckBlocksAsync(run, number, inode).ConfigureAwait(false);
        if (isPresent)
        {
            run.Log.Problem("superblock", "offset 1024", $"feature orphan_present is set, and the orphan file has {(isEmpty ? "no" : "some")} inodes");
        }
        else if (!isEmpty)
        {
            run.Log.Problem("orphan file", $"inode {number}", "it has inodes, and feature orphan_present is not set");
        }
    }

    /// <summary>What is wrong where the superblock names an orphan file without having the feature: nothing, if that inode is free.</summary>
    public static async ValueTask<string?> FindStrayAsync(CheckRun run)
    {
        uint number = run.Superblock.OrphanFileInode;
        using var peek = new InodePeek(run);
        InodeRecord? inode = number != 0 && number <= run.Geometry.InodeCount ? await peek.ReadAsync(number).ConfigureAwait(false) : null;
        return inode is not null && (inode.LinkCount != 0 || inode.GetAllocatedBytes(run.BlockSize) != 0)
            ? $"s_orphan_file_inum is {number}, which is in use, and feature orphan_file is not set" : null;
    }

    private static async ValueTask<bool> CheckBlocksAsync(CheckRun run, uint number, InodeRecord inode)
    {
        uint seed = run.Checksum.IsUsed ? run.Checksum.SeedOf(new InodeNumber(number), inode.Generation) : 0;
        ulong count = inode.Size / (ulong)run.BlockSize;
        using AlignedBuffer buffer = run.Store.Allocate(1);
        bool isEmpty = true;
        List<DirectoryPlace> places = await new FileBlocks(run, MostBlocks).CollectAsync(inode).ConfigureAwait(false);
        if ((ulong)places.Count < Math.Min(count, MostBlocks))
        {
            run.Log.Problem("orphan file", $"inode {number}", "it has holes");
        }

        foreach (DirectoryPlace place in places)
        {
            if (!await run.Store.ReadAsync(place.Volume, 1, buffer.Segment).ConfigureAwait(false))
            {
                run.Log.Problem("orphan file", $"inode {number}, block {place.Index}", "it cannot be read");
                continue;
            }

            isEmpty &= JudgeBlock(run, buffer.GetSpan(), place, number, seed);
        }

        return isEmpty;
    }

    private static bool JudgeBlock(CheckRun run, ReadOnlySpan<byte> block, DirectoryPlace place, uint number, uint seed)
    {
        try
        {
            var location = new InodeBlockLocation(new InodeNumber(number), new VolumeBlock(place.Volume));
            OrphanBlock.Check(block, location, run.Geometry, run.Checksum.IsUsed, seed);
        }
        catch (CorruptVolumeException e)
        {
            run.Log.Problem("orphan file", $"inode {number}, block {place.Index}", $"{e.Field} is {e.Value}");
        }

        return !block[..(OrphanBlock.SlotCount(block.Length) * sizeof(uint))].ContainsAnyExcept((byte)0);
    }
}

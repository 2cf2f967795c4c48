using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Repairing;

/// <summary>Makes the resize inode anew once everything else is sound: every block but one is the volume's own already.</summary>
internal static class ResizeInodeRepair
{
    private const ushort Mode = 0x8180; // -rw-------

    public static async ValueTask RunAsync(CheckRun run, Repair repair)
    {
        repair.State.NeedsResizeInode = false;
        if (!run.Has(CompatFeatures.ResizeInode) || repair.TakeCluster(0) is not { } root)
        {
            repair.Note("superblock", "offset 1024", "there is no room for a resize inode: feature resize_inode goes");
            run.Superblock.Features = run.Superblock.Features.Without(CompatFeatures.ResizeInode);
            run.Superblock.ReservedDescriptorBlocks = 0;
            await repair.WriteSuperblockAsync().ConfigureAwait(false);
            return;
        }

        VolumeGeometry geometry = run.Geometry;
        uint reserved = geometry.ReservedDescriptorBlocksAt(default);
        List<ulong> backups = FindBackups(geometry);
        uint pointers = IndirectMap.PointersPerBlock(run.BlockSize);
        byte[] rootBlock = new byte[run.BlockSize];
        byte[] block = new byte[run.BlockSize];
        for (uint i = 0; i < reserved; i++)
        {
            uint place = geometry.DescriptorBlockCount + i;
            ulong primary = geometry.SuperblockBlock.Value + 1 + place;
            IndirectMap.WritePointer(rootBlock, place % pointers, (uint)primary);
            block.AsSpan().Clear();
            for (int backup = 0; backup < backups.Count; backup++)
            {
                IndirectMap.WritePointer(block, (uint)backup, (uint)(backups[backup] + 1 + place));
            }

            await repair.WriteAsync(primary, block).ConfigureAwait(false);
        }

        await repair.WriteAsync(root, rootBlock).ConfigureAwait(false);
        await WriteInodeAsync(run, repair, root, 1 + (reserved * (1UL + (ulong)backups.Count))).ConfigureAwait(false);
        repair.Note("resize inode", $"inode {ResizeInodeCheck.Number}", "it is made anew");
    }

    private static async ValueTask WriteInodeAsync(CheckRun run, Repair repair, ulong root, ulong clusters)
    {
        InodeRecord inode = InodeRecord.Create(run.Geometry.InodeSize, Math.Max(run.Superblock.WantExtraInodeSize, (ushort)28));
        (inode.Mode, inode.LinkCount) = (Mode, 1);
        inode.Accessed = inode.Modified = inode.Changed = repair.Now;
        IndirectMap.WritePointer(inode.BlockField, IndirectMap.DoubleIndirectSlot, (uint)root);
        (Mapping.FileBlock first, ulong span) = IndirectMap.RangeOf(IndirectMap.DoubleIndirectSlot, run.BlockSize);
        inode.Size = (first.Value + span) * (uint)run.BlockSize;
        inode.TrySetAllocatedBytes(
            clusters * (ulong)run.Geometry.ClusterRatio * (ulong)run.BlockSize, run.BlockSize, run.Has(ReadOnlyCompatFeatures.HugeFile));
        await repair.WriteInodeAsync(ResizeInodeCheck.Number, inode).ConfigureAwait(false);
    }

    private static List<ulong> FindBackups(VolumeGeometry geometry)
    {
        var found = new List<ulong>();
        for (uint group = 1; group < geometry.GroupCount; group++)
        {
            if (geometry.HasSuperblock(new BlockGroup(group)))
            {
                found.Add(geometry.FirstBlockOf(new BlockGroup(group)).Value);
            }
        }

        return found;
    }
}

using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Repairing;

/// <summary>Makes the resize inode anew once everything else is sound: every block but one is the volume's own already.</summary>
internal static class ResizeInodeRepair
{
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

        var layout = new ResizeInodeLayout(run.Geometry);
        byte[] block = new byte[run.BlockSize];
        for (uint i = 0; i < layout.ReservedBlocks; i++)
        {
            VolumeBlock primary = layout.Fill(i, block);
            await repair.WriteAsync(primary.Value, block).ConfigureAwait(false);
        }

        layout.FillRoot(block);
        await repair.WriteAsync(root, block).ConfigureAwait(false);

        InodeRecord inode = InodeRecord.Create(run.Geometry.InodeSize, Math.Max(run.Superblock.WantExtraInodeSize, (ushort)28));
        (inode.Mode, inode.LinkCount) = (ResizeInodeLayout.Mode, 1);
        inode.Accessed = inode.Modified = inode.Changed = repair.Now;
        layout.Point(inode, new VolumeBlock(root));
        inode.TrySetAllocatedBytes(
            layout.BlockCount * (ulong)run.Geometry.ClusterRatio * (ulong)run.BlockSize, run.BlockSize, run.Has(ReadOnlyCompatFeatures.HugeFile));
        await repair.WriteInodeAsync(ResizeInodeLayout.Number, inode).ConfigureAwait(false);
        repair.Note("resize inode", $"inode {ResizeInodeLayout.Number}", "it is made anew");
    }
}

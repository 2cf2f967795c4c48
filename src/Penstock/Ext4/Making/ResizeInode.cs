using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>Makes inode 7 (resize_inode): see <see cref="ResizeInodeLayout"/>.</summary>
internal static class ResizeInode
{
    public static async ValueTask MakeAsync(MakingContext context)
    {
        var layout = new ResizeInodeLayout(context.Geometry);
        MadeFile file = context.AddFile(ResizeInodeLayout.Number, ResizeInodeLayout.Mode);
        VolumeBlock root = context.Space.TakeOne();
        byte[] block = new byte[context.Geometry.BlockSize];
        for (uint i = 0; i < layout.ReservedBlocks; i++)
        {
            VolumeBlock primary = layout.Fill(i, block);
            await context.WriteBlockAsync(primary, block).ConfigureAwait(false);
        }

        layout.FillRoot(block);
        await context.WriteBlockAsync(root, block).ConfigureAwait(false);
        layout.Point(file.Inode, root);

        // Each of its blocks counts as a whole cluster, though those of the reserve share theirs with the descriptors.
        file.SetStorage(layout.BlockCount * (ulong)context.Geometry.ClusterRatio);
    }
}

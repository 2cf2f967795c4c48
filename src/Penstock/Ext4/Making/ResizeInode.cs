using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>
/// Makes inode 7 (resize_inode), which owns the blocks kept for more descriptors: its double indirect block points to those of group 0, and each
/// of them is an indirect block that points to the same one of every backup.
/// </summary>
internal static class ResizeInode
{
    public const uint Number = 7;

    private const ushort Mode = 0x8180; // -rw-------

    public static async ValueTask MakeAsync(MakingContext context)
    {
        VolumeGeometry geometry = context.Geometry;
        uint reserved = geometry.ReservedDescriptorBlocksAt(default);
        MadeFile file = context.AddFile(Number, Mode);
        List<VolumeBlock> backups = FindBackups(geometry);
        uint pointers = IndirectMap.PointersPerBlock(geometry.BlockSize);
        VolumeBlock root = context.Space.TakeOne();
        byte[] rootBlock = new byte[geometry.BlockSize];
        byte[] block = new byte[geometry.BlockSize];
        for (uint i = 0; i < reserved; i++)
        {
            uint place = geometry.DescriptorBlockCount + i;
            VolumeBlock primary = geometry.SuperblockBlock + 1u + place;
            IndirectMap.WritePointer(rootBlock, place % pointers, (uint)primary.Value);
            block.AsSpan().Clear();
            for (int backup = 0; backup < backups.Count; backup++)
            {
                IndirectMap.WritePointer(block, (uint)backup, (uint)(backups[backup].Value + 1 + place));
            }

            await context.WriteBlockAsync(primary, block).ConfigureAwait(false);
        }

        await context.WriteBlockAsync(root, rootBlock).ConfigureAwait(false);
        IndirectMap.WritePointer(file.Inode.BlockField, IndirectMap.DoubleIndirectSlot, (uint)root.Value);
        (FileBlock first, ulong span) = IndirectMap.RangeOf(IndirectMap.DoubleIndirectSlot, geometry.BlockSize);
        file.Inode.Size = (first.Value + span) * (uint)geometry.BlockSize;

        // Each of its blocks counts as a whole cluster, though those of the reserve share theirs with the descriptors.
        file.SetStorage((1 + (reserved * (1UL + (ulong)backups.Count))) * (ulong)geometry.ClusterRatio);
    }

    private static List<VolumeBlock> FindBackups(VolumeGeometry geometry)
    {
        var found = new List<VolumeBlock>();
        for (uint group = 1; group < geometry.GroupCount; group++)
        {
            if (geometry.HasSuperblock(new BlockGroup(group)))
            {
                found.Add(geometry.FirstBlockOf(new BlockGroup(group)));
            }
        }

        return found;
    }
}

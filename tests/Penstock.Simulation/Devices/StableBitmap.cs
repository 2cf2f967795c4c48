using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Simulation.Devices;

/// <summary>What a loss of power would bring back of a volume's state and its bitmaps.</summary>
internal static class StableBitmap
{
    /// <summary>Whether the volume says that it was closed cleanly.</summary>
    public static bool IsClean(StableMemory stable) => (ReadSuperblock(stable).State & VolumeStates.Clean) != 0;

    /// <summary>The first block of a range that the bitmaps say is in use; null if all are free.</summary>
    public static ulong? FindUsed(StableMemory stable, long offset, long length)
    {
        var geometry = new VolumeGeometry(ReadSuperblock(stable));
        var descriptor = new byte[geometry.DescriptorSize];
        var bitmap = new byte[geometry.BlockSize];
        for (ulong block = (ulong)offset / (uint)geometry.BlockSize; (long)block * geometry.BlockSize < offset + length; block++)
        {
            var volumeBlock = new VolumeBlock(block);
            (VolumeBlock place, int within) = geometry.LocateDescriptor(geometry.GroupOf(volumeBlock));
            stable.Read(((long)place.Value * geometry.BlockSize) + within, descriptor);
            GroupDescriptor group = GroupDescriptor.Read(descriptor);
            stable.Read((long)group.BlockBitmap.Value * geometry.BlockSize, bitmap);
            uint bit = geometry.ClusterInGroup(volumeBlock);
            if (!group.Is(GroupFlags.BlockUninit) && (bitmap[bit / 8] & (1 << (int)(bit % 8))) != 0)
            {
                return block;
            }
        }

        return null;
    }

    private static Superblock ReadSuperblock(StableMemory stable)
    {
        var raw = new byte[Superblock.Size];
        stable.Read(Superblock.VolumeOffset, raw);
        return Superblock.Parse(raw);
    }
}

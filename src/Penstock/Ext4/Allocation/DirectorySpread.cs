using System.Buffers.Binary;
using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// Where a new directory goes, after Orlov: those at the top of the tree far apart, in groups with more room than the average and few
/// directories; others near their parent as long as that has room for what they will hold.
/// </summary>
internal sealed class DirectorySpread(Ext4Volume volume)
{
    /// <summary>Groups looked at; on a large volume a sample.</summary>
    private const uint MaxLookedAt = 64;

    private const ulong RootInode = 2;

    private VolumeGeometry Geometry => volume.Geometry;

    public async ValueTask<BlockGroup> ChooseAsync(InodeNumber parent, BlockGroup parentGroup)
    {
        ulong averageInodes = volume.Space.FreeInodes / Geometry.GroupCount;
        ulong averageClusters = volume.Space.FreeClusters / Geometry.GroupCount;
        bool isTop = parent.Value == RootInode;
        ulong start = isTop ? Draw() % Geometry.GroupCount : parentGroup.Value;

        // A directory near its parent is content with a part of the average; one at the top wants all of it.
        ulong minInodes = isTop ? averageInodes : averageInodes / 4;
        ulong minClusters = isTop ? averageClusters : averageClusters / 4;
        BlockGroup? best = null;
        uint fewest = uint.MaxValue;
        for (uint i = 0; i < Math.Min(Geometry.GroupCount, MaxLookedAt); i++)
        {
            var number = new BlockGroup((uint)((start + i) % Geometry.GroupCount));
            Group group = await volume.Groups.FindAsync(number).ConfigureAwait(false);
            if (group.FreeInodesHint == 0 || group.FreeInodesHint < minInodes || group.AvailableHint < minClusters)
            {
                continue;
            }

            if (!isTop)
            {
                return number;
            }

            if (group.UsedDirectoriesHint < fewest)
            {
                (best, fewest) = (number, group.UsedDirectoriesHint);
            }
        }

        return best ?? parentGroup;
    }

    private uint Draw()
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        volume.Scheduler.FillRandom(bytes);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }
}

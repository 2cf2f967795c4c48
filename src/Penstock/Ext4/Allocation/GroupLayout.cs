using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// Where the volume's own structures lie in a group: superblock and descriptors at its head, bitmaps and inode tables of it and, with flex_bg, of
/// its companions. These clusters are never handed out and never freed.
/// </summary>
internal sealed class GroupLayout(GroupTable table)
{
    /// <summary>
    /// Flex groups larger than this (mke2fs can pack all tables of a volume together) are not searched for companions: each
    /// group then guards its own structures only.
    /// </summary>
    private const uint MaxCompanions = 256;

    /// <summary>Finds the group's <see cref="Group.SystemRanges"/>, if they are not known yet.</summary>
    public ValueTask PrepareAsync(Group group) => group.SystemRanges is not null ? ValueTask.CompletedTask : FindAsync(group);

    private async ValueTask FindAsync(Group group)
    {
        VolumeGeometry geometry = table.Geometry;
        var ranges = new List<ClusterRange>();
        Add(ranges, group.Number, geometry.FirstBlockOf(group.Number), geometry.HeadBlocksOf(group.Number));
        uint companions = geometry.GroupsPerFlex <= MaxCompanions ? geometry.GroupsPerFlex : 1;
        uint first = group.Number.Value / companions * companions;
        for (uint number = first; number < Math.Min(table.Count, first + companions); number++)
        {
            Group companion = await table.FindAsync(new BlockGroup(number)).ConfigureAwait(false);
            if (companion.InodeTable.Value != 0)
            {
                Add(ranges, group.Number, companion.BlockBitmap, 1);
                Add(ranges, group.Number, companion.InodeBitmap, 1);
                Add(ranges, group.Number, companion.InodeTable, geometry.InodeTableBlocks);
            }
        }

        group.SystemRanges = [.. ranges.OrderBy(r => r.First)];
    }

    /// <summary>Adds the part of the blocks that lies in the group.</summary>
    private void Add(List<ClusterRange> ranges, BlockGroup group, VolumeBlock first, ulong count)
    {
        VolumeGeometry geometry = table.Geometry;
        ulong start = geometry.FirstBlockOf(group).Value;
        ulong from = Math.Max(first.Value, start);
        ulong to = Math.Min(first.Value + count, start + geometry.BlocksIn(group));
        if (from < to)
        {
            uint firstCluster = (uint)((from - start) >> geometry.LogClusterRatio);
            uint lastCluster = (uint)((to - 1 - start) >> geometry.LogClusterRatio);
            ranges.Add(new ClusterRange(firstCluster, lastCluster - firstCluster + 1));
        }
    }
}

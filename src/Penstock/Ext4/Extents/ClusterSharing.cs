using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Extents;

/// <summary>
/// With bigalloc, a cluster belongs to one file, and its blocks to the file blocks at the same places of one cluster of the file. So an extent
/// shares its first and last cluster with others of the file, and whoever allocates or frees must look at the neighbours.
/// </summary>
internal static class ClusterSharing
{
    /// <summary>Whether any block of [from, to) of the file is allocated. The mapping lock is held.</summary>
    public static async ValueTask<bool> IsMappedAsync(ExtentTree tree, ulong from, ulong to) =>
        await FindAsync(tree, from, to).ConfigureAwait(false) is not null;

    /// <summary>An allocated run in [from, to) of the file, or null. The mapping lock is held.</summary>
    public static async ValueTask<BlockRun?> FindAsync(ExtentTree tree, ulong from, ulong to)
    {
        while (from < to)
        {
            ExtentPath path = await tree.DescendAsync(from, forChange: false).ConfigureAwait(false);
            BlockRun run;
            try
            {
                run = tree.RunAt(path, from);
            }
            finally
            {
                path.Release();
            }

            if (run.IsAllocated)
            {
                return run;
            }

            from = run.End.Value;
        }

        return null;
    }

    /// <exception cref="CorruptVolumeException">The extent's blocks are not at their places in their clusters.</exception>
    public static void RequireAligned(InodeNumber inode, ExtentLeaf extent, VolumeGeometry geometry)
    {
        ulong mask = (ulong)geometry.ClusterRatio - 1;
        FormatCheck.Require(
            (extent.Start.Value & mask) == (extent.First & mask), "extent", inode, "ee_start",
            $"{extent.Start.Value} for file block {extent.First}, at another place of its cluster");
    }
}

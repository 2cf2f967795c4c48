using System.Numerics;
using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Extents;

/// <summary>Blocks for a hole.</summary>
/// <param name="First">The block for the hole's first block.</param>
/// <param name="Count">How many blocks of the hole it is good for.</param>
/// <param name="Taken">What was newly taken: whole clusters; empty if the file had the cluster already.</param>
internal readonly record struct Placement(VolumeBlock First, ulong Count, BlockSpan Taken);

/// <summary>Decides where the blocks of a file should lie, and takes them. The mapping lock is held exclusively.</summary>
internal sealed class ExtentPlacement(ExtentTree tree)
{
    /// <summary>A hole this near to the file's blocks keeps its place among them; files written out of order become contiguous so.</summary>
    private const ulong MaxGap = 2048;

    private readonly FileGoal _goal = new(tree.Volume, tree.Owner);

    public AllocationWindow Window => _goal.Window;

    private VolumeGeometry Geometry => tree.Volume.Geometry;

    /// <summary>Finds blocks for the hole of <paramref name="count"/> blocks at <paramref name="first"/>, which is where the path leads.</summary>
    public async ValueTask<Placement> PlaceAsync(Handle handle, ExtentPath path, ulong first, ulong count, SpaceUse use)
    {
        ulong mask = (ulong)Geometry.ClusterRatio - 1;
        if (mask != 0)
        {
            ulong clusterEnd = (first | mask) + 1;
            if (await SharedClusterAsync(first, mask).ConfigureAwait(false) is { } block)
            {
                return new Placement(block, Math.Min(count, clusterEnd - first), default);
            }

            count = await CutBeforeSharedAsync(first, count, mask).ConfigureAwait(false);
        }

        (VolumeBlock goal, bool isContinuation) = GoalFor(path, first);
        ulong inCluster = first & mask;
        ulong clusters = (inCluster + count + mask) >> Geometry.LogClusterRatio;
        AllocationRequest request = _goal.Shape(first, count, clusters, goal, isContinuation, use);
        BlockSpan taken = await tree.Volume.Blocks.AllocateAsync(handle, request).ConfigureAwait(false);
        return new Placement(taken.First + inCluster, Math.Min(count, taken.Count - inCluster), taken);
    }

    /// <summary>Where in the volume <paramref name="first"/> lies if the file has its cluster already.</summary>
    private async ValueTask<VolumeBlock?> SharedClusterAsync(ulong first, ulong mask)
    {
        ulong start = first & ~mask;
        if (await ClusterSharing.FindAsync(tree, start, start + mask + 1).ConfigureAwait(false) is not { } run)
        {
            return null;
        }

        var extent = new ExtentLeaf((uint)run.First.Value, 1, false, run.Volume);
        ClusterSharing.RequireAligned(tree.Owner.Number, extent, Geometry);
        return new VolumeBlock((run.Volume.Value & ~mask) + (first & mask));
    }

    /// <summary>Ends the hole before the last cluster if the file has that already.</summary>
    private async ValueTask<ulong> CutBeforeSharedAsync(ulong first, ulong count, ulong mask)
    {
        ulong end = first + count;
        ulong lastCluster = (end - 1) & ~mask;
        bool isShared = (end & mask) != 0 && await ClusterSharing.IsMappedAsync(tree, end, lastCluster + mask + 1).ConfigureAwait(false);
        return isShared ? lastCluster - first : count;
    }

    private (VolumeBlock Goal, bool IsContinuation) GoalFor(ExtentPath path, ulong first)
    {
        if (tree.LeafAt(path, path.LeafIndex) is { } left)
        {
            ulong gap = first - left.End;
            VolumeBlock end = left.Start + left.Length;
            return gap <= MaxGap ? (end + gap, true) : (end, false);
        }

        if (tree.LeafAt(path, path.LeafIndex + 1) is { } right)
        {
            ulong gap = right.First - first;
            return gap <= MaxGap && gap < right.Start.Value ? (new VolumeBlock(right.Start.Value - gap), true) : (right.Start, false);
        }

        return (default, false);
    }
}

using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Extents;

/// <summary>
/// Takes blocks out of a tree, or turns them between written and unwritten, one extent at a time; each step leaves the file whole. The mapping lock is
/// held exclusively.
/// </summary>
internal sealed class ExtentRemoval(ExtentTree tree, ExtentSplice splice)
{
    /// <summary>Groups that one step frees blocks in, at most.</summary>
    private const uint MaxGroupsPerStep = 5;

    private VolumeGeometry Geometry => tree.Volume.Geometry;

    /// <summary>Credits of one <see cref="RemoveLastAsync"/>.</summary>
    public int StepCredits => splice.Credits + tree.Volume.Blocks.CreditsToFree(MaxStep);

    /// <summary>The longest run freed in one step.</summary>
    private ulong MaxStep => Math.Min(ExtentLeaf.MaxWrittenLength, (ulong)MaxGroupsPerStep * Geometry.BlocksPerGroup);

    /// <summary>Frees the last blocks of [from, to) that lie in one extent: returns where the rest of the range ends.</summary>
    public async ValueTask<ulong> RemoveLastAsync(Handle handle, ulong from, ulong to)
    {
        ExtentPath path = await tree.DescendAsync(to - 1, forChange: true).ConfigureAwait(false);
        try
        {
            if (tree.LeafAt(path, path.LeafIndex) is not { } extent)
            {
                return BeforeLeaf(path, from, to);
            }

            if (extent.End <= from)
            {
                return from;
            }

            ulong end = Math.Min(extent.End, to);
            ulong start = Math.Max(Math.Max(extent.First, from), end - Math.Min(end, MaxStep));
            BlockSpan freed = await FreedClustersAsync(extent, start, end).ConfigureAwait(false);
            ForgetMetadata(handle, freed);
            await splice.ApplyAsync(handle, path, path.LeafIndex, removed: 1, Around(extent, start, end), NodeSpace.Essential, freed)
                .ConfigureAwait(false);
            return start;
        }
        finally
        {
            path.Release();
        }
    }

    /// <summary>Turns the last written blocks of [from, to) that lie in one extent: returns where the rest of the range ends.</summary>
    public async ValueTask<ulong> MarkLastUnwrittenAsync(Handle handle, ulong from, ulong to)
    {
        ExtentPath path = await tree.DescendAsync(to - 1, forChange: true).ConfigureAwait(false);
        try
        {
            if (tree.LeafAt(path, path.LeafIndex) is not { } extent)
            {
                return BeforeLeaf(path, from, to);
            }

            ulong end = Math.Min(extent.End, to);
            ulong start = Math.Max(extent.First, from);
            if (end > start && !extent.IsUnwritten)
            {
                await TurnAsync(handle, path, start, end, toUnwritten: true).ConfigureAwait(false);
            }

            return start;
        }
        finally
        {
            path.Release();
        }
    }

    /// <summary>Turns [start, end), which lies in the extent that the path leads to. The path is spent.</summary>
    public ValueTask TurnAsync(Handle handle, ExtentPath path, ulong start, ulong end, bool toUnwritten)
    {
        ExtentLeaf extent = tree.LeafAt(path, path.LeafIndex)!.Value;
        var pieces = default(ExtentPieces);
        pieces.Add(extent.First, start - extent.First, extent.IsUnwritten, extent.Start);
        pieces.Add(start, end - start, toUnwritten, extent.Start + (start - extent.First));
        pieces.Add(end, extent.End - end, extent.IsUnwritten, extent.Start + (end - extent.First));
        return splice.ApplyAsync(handle, path, path.LeafIndex, removed: 1, pieces, NodeSpace.Essential);
    }

    /// <summary>The leaf has nothing before the end of the range: the rest can only lie in the leaves before it.</summary>
    private static ulong BeforeLeaf(ExtentPath path, ulong from, ulong to)
    {
        ulong start = path.LeafRule.First;
        return start < to ? Math.Max(start, from) : from;
    }

    /// <summary>What stays of an extent when [start, end) goes.</summary>
    private static ExtentPieces Around(ExtentLeaf extent, ulong start, ulong end)
    {
        var pieces = default(ExtentPieces);
        pieces.Add(extent.First, start - extent.First, extent.IsUnwritten, extent.Start);
        pieces.Add(end, extent.End - end, extent.IsUnwritten, extent.Start + (end - extent.First));
        return pieces;
    }

    /// <summary>
    /// The blocks of the volume that removing [start, end) of the extent frees. With bigalloc, the clusters at the two ends stay while any other
    /// block of the file lies in them.
    /// </summary>
    private async ValueTask<BlockSpan> FreedClustersAsync(ExtentLeaf extent, ulong start, ulong end)
    {
        ulong first = extent.Start.Value + (start - extent.First);
        ulong last = extent.Start.Value + (end - extent.First);
        ulong mask = (ulong)Geometry.ClusterRatio - 1;
        if (mask == 0)
        {
            return new BlockSpan(new VolumeBlock(first), last - first);
        }

        ClusterSharing.RequireAligned(tree.Owner.Number, extent, Geometry);
        bool keepsFirst = await ClusterSharing.IsMappedAsync(tree, start & ~mask, start).ConfigureAwait(false);
        bool keepsLast = await ClusterSharing.IsMappedAsync(tree, end, (end + mask) & ~mask).ConfigureAwait(false);
        ulong from = keepsFirst ? (first + mask) & ~mask : first & ~mask;
        ulong to = keepsLast ? last & ~mask : (last + mask) & ~mask;
        return from < to ? new BlockSpan(new VolumeBlock(from), Math.Min(to, Geometry.BlockCount) - from) : default;
    }

    /// <summary>Such blocks are in the metadata cache: they must not be written there once they are somebody else's.</summary>
    private void ForgetMetadata(Handle handle, BlockSpan freed)
    {
        if (tree.Owner.HasMetadataContent)
        {
            for (ulong i = 0; i < freed.Count; i++)
            {
                handle.Forget(freed.First + i);
            }
        }
    }
}

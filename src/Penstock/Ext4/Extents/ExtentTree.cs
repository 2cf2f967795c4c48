using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Extents;

/// <summary>
/// The extent tree of one inode: the root in i_block, the other nodes in blocks. Reads need the mapping lock shared, changes exclusively.
/// See https://docs.kernel.org/filesystems/ext4/dynamic.html#extent-tree.
/// </summary>
/// <remarks>
/// A node is checked as a whole when it is first read, and before every change. In between, a look-up checks again what it uses, because on a
/// damaged volume the block may belong to something else that changed it. There can be no loop: the depth falls by one with each step.
/// </remarks>
internal sealed class ExtentTree(Ext4Volume volume, IBlockMapOwner owner)
{
    private readonly uint _seed = volume.Checksum.SeedOf(owner.Number, owner.Generation);

    public Ext4Volume Volume => volume;

    public IBlockMapOwner Owner => owner;

    /// <summary>The depth of the tree, at a glance and without a lock: an estimate for credits.</summary>
    public int DepthHint => Math.Min((int)ExtentHeader.Read(owner.BlockField).Depth, ExtentHeader.MaxDepth);

    /// <summary>Writes the root of a tree without extents.</summary>
    public static void WriteEmptyRoot(Span<byte> blockField)
    {
        blockField.Clear();
        new ExtentHeader(Entries: 0, ExtentHeader.RootCapacity, Depth: 0).WriteTo(blockField);
    }

    /// <summary>The last entry of a node that starts at or before <paramref name="block"/>, or -1.</summary>
    public static int FindLast(ReadOnlySpan<byte> node, int entries, ulong block)
    {
        int low = 0;
        int high = entries;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (KeyAt(node, middle) <= block)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }

    /// <summary>The first file block of an entry: it lies at the same place in leaves and inner nodes.</summary>
    public static uint KeyAt(ReadOnlySpan<byte> node, int index) => LittleEndian.U32(node, ExtentHeader.Size + (index * ExtentLeaf.Size));

    /// <summary>Goes down to the leaf for <paramref name="block"/>. The path is the caller's to release.</summary>
    /// <param name="block">The file block looked for.</param>
    /// <param name="forChange">Whether the nodes are about to be changed: then all of them are checked as a whole.</param>
    public async ValueTask<ExtentPath> DescendAsync(ulong block, bool forChange)
    {
        ExtentPath path = ExtentPath.Rent();
        try
        {
            ExtentHeader header = ExtentNode.CheckRoot(owner.BlockField, owner.Number, volume.Geometry);
            path.Add(0, null, ExtentNode.Root with { Depth = header.Depth });
            for (int level = 0; level < header.Depth; level++)
            {
                (VolumeBlock child, ExtentNode rule) = Follow(path, level, block);
                MetadataBlock node = await volume.Cache.GetAsync(child).ConfigureAwait(false);
                path.Add(level + 1, node, rule);
                Judge(node, rule, forChange);
            }

            ReadOnlySpan<byte> leaf = NodeAt(path, path.Depth);
            path.IndexAt(path.Depth) = FindLast(leaf, ExtentHeader.Read(leaf).Entries, block);
            return path;
        }
        catch
        {
            path.Release();
            throw;
        }
    }

    /// <summary>The bytes of a node of the path.</summary>
    public ReadOnlySpan<byte> NodeAt(ExtentPath path, int level) => path.BlockAt(level) is { } block ? block.Bytes : owner.BlockField;

    /// <summary>How many extents the path's leaf has.</summary>
    public int LeafCount(ExtentPath path) => ExtentHeader.Read(NodeAt(path, path.Depth)).Entries;

    /// <summary>An extent of the path's leaf, or null where there is none.</summary>
    /// <exception cref="CorruptVolumeException">The entry is damaged.</exception>
    public ExtentLeaf? LeafAt(ExtentPath path, int index)
    {
        ReadOnlySpan<byte> node = NodeAt(path, path.Depth);
        if (index < 0 || index >= ExtentHeader.Read(node).Entries)
        {
            return null;
        }

        ExtentLeaf leaf = ExtentLeaf.Read(node, index);
        FormatCheck.Require(
            leaf.Length > 0 && volume.Geometry.Contains(leaf.Start, leaf.Length) && leaf.End <= (ulong)ExtentLeaf.MaxFileBlock + 1,
            "extent node", Location(path, path.Depth), "ee_start", $"{leaf.Start.Value}+{leaf.Length} in entry {index}, not on the volume");
        return leaf;
    }

    /// <summary>The run at <paramref name="block"/> as the path's leaf tells it.</summary>
    public BlockRun RunAt(ExtentPath path, ulong block)
    {
        if (LeafAt(path, path.LeafIndex) is { } extent && block < extent.End)
        {
            return ToRun(extent).From(new FileBlock(block), uint.MaxValue);
        }

        // The next extent may start later than its node's range; then the hole goes on there.
        ulong end = LeafAt(path, path.LeafIndex + 1)?.First ?? path.LeafRule.End;
        FormatCheck.Require(end > block, "extent node", Location(path, path.Depth), "ee_block", $"{end} after {block}");
        return BlockRun.Hole(new FileBlock(block), end - block);
    }

    public static BlockRun ToRun(ExtentLeaf extent) =>
        new(new FileBlock(extent.First), extent.Start, extent.Length, extent.IsUnwritten ? MapState.Unwritten : MapState.Mapped);

    /// <summary>Puts the checksum of a changed block right.</summary>
    public void Seal(Span<byte> node)
    {
        if (volume.Checksum.IsUsed)
        {
            ExtentTail.Write(node, _seed);
        }
    }

    private InodeBlockLocation Location(ExtentPath path, int level) => new(owner.Number, path.BlockAt(level)?.Number ?? default);

    private (VolumeBlock Child, ExtentNode Rule) Follow(ExtentPath path, int level, ulong block)
    {
        ReadOnlySpan<byte> node = NodeAt(path, level);
        ExtentHeader header = ExtentHeader.Read(node);
        int index = Math.Max(FindLast(node, header.Entries, block), 0);
        path.IndexAt(level) = index;
        ExtentIndex entry = ExtentIndex.Read(node, index);
        ExtentNode parent = path.RuleAt(level);
        ExtentNode rule = parent.Child(node, index) with { Depth = parent.Depth - 1 };
        FormatCheck.Require(
            volume.Geometry.Contains(entry.Child) && rule.First >= parent.First && rule.First < rule.End && rule.End <= parent.End,
            "extent node", Location(path, level), "ei_leaf", $"{entry.Child.Value} for {rule.First} to {rule.End} in entry {index}");
        return (entry.Child, rule);
    }

    private void Judge(MetadataBlock node, ExtentNode rule, bool forChange)
    {
        if (forChange || !node.IsJudged || !LooksRight(node.Bytes, rule))
        {
            rule.CheckBlock(node.Bytes, owner.Number, node.Number, volume.Geometry, volume.Checksum.IsUsed, _seed);
            node.IsJudged = true;
        }
    }

    private static bool LooksRight(ReadOnlySpan<byte> node, ExtentNode rule)
    {
        ExtentHeader header = ExtentHeader.Read(node);
        return ExtentHeader.ReadMagic(node) == ExtentHeader.Magic && header.Depth == rule.Depth && header.Entries <= header.Capacity
            && header.Capacity <= ExtentHeader.CapacityOf(node.Length) && (header.Entries > 0 || header.IsLeaf);
    }
}

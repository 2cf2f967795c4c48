using System.Runtime.CompilerServices;
using Penstock.Mapping;

namespace Penstock.Ext4.Format;

/// <summary>
/// What is asked of a whole node before any entry of it is used. A tree can hold no loop once every node is checked: depth falls by one
/// with each step down, and a child covers only the range that its parent's entry gives it.
/// </summary>
/// <param name="Depth">The depth the node must have; <see cref="AnyDepth"/> for a root.</param>
/// <param name="First">The first file block the node may hold.</param>
/// <param name="End">The file block after the last it may hold.</param>
internal readonly record struct ExtentNode(int Depth, ulong First, ulong End)
{
    public const int AnyDepth = -1;

    /// <summary>What a root in i_block must keep to.</summary>
    public static ExtentNode Root => new(AnyDepth, 0, (ulong)ExtentLeaf.MaxFileBlock + 1);

    /// <summary>What the child of entry <paramref name="index"/> of a checked inner node must keep to.</summary>
    public ExtentNode Child(ReadOnlySpan<byte> node, int index)
    {
        ExtentHeader header = ExtentHeader.Read(node);
        ulong end = index + 1 < header.Entries ? ExtentIndex.Read(node, index + 1).First : End;
        return new ExtentNode(header.Depth - 1, ExtentIndex.Read(node, index).First, end);
    }

    /// <summary>Checks the root, which lies in the inode and has no checksum of its own.</summary>
    /// <exception cref="CorruptVolumeException">The node is damaged.</exception>
    public static ExtentHeader CheckRoot(ReadOnlySpan<byte> blockField, InodeNumber inode, VolumeGeometry geometry)
    {
        var location = new InodeBlockLocation(inode, default);
        ExtentHeader header = Root.CheckHeader(blockField, location);
        Root.CheckEntries(blockField, header, geometry, location);
        return header;
    }

    /// <summary>Checks a block of the tree, its checksum first.</summary>
    /// <param name="block">The whole block.</param>
    /// <param name="inode">The inode the tree belongs to.</param>
    /// <param name="blockNumber">Where the block lies.</param>
    /// <param name="geometry">The volume's sizes.</param>
    /// <param name="hasChecksum">Whether the volume has metadata_csum.</param>
    /// <param name="inodeSeed">The seed of the inode: <see cref="MetadataChecksum.SeedOf"/>.</param>
    /// <exception cref="CorruptVolumeException">The node is damaged or is not the one its parent described.</exception>
    public ExtentHeader CheckBlock(
        ReadOnlySpan<byte> block, InodeNumber inode, VolumeBlock blockNumber, VolumeGeometry geometry, bool hasChecksum, uint inodeSeed)
    {
        var location = new InodeBlockLocation(inode, blockNumber);
        ExtentHeader header = CheckHeader(block, location);
        if (hasChecksum)
        {
            uint stored = ExtentTail.Read(block);
            uint computed = ExtentTail.Compute(block, inodeSeed);
            FormatCheck.Require(stored == computed, "extent tail", location, "et_checksum", $"0x{stored:x8}, computed 0x{computed:x8}");
        }

        CheckEntries(block, header, geometry, location);
        return header;
    }

    private ExtentHeader CheckHeader(ReadOnlySpan<byte> node, InodeBlockLocation location)
    {
        ushort magic = ExtentHeader.ReadMagic(node);
        RequireHeader(magic == ExtentHeader.Magic, location, "eh_magic", $"0x{magic:X4}, expected 0xF30A");

        ExtentHeader header = ExtentHeader.Read(node);
        RequireHeader(header.Depth <= ExtentHeader.MaxDepth, location, "eh_depth", $"{header.Depth}, expected at most {ExtentHeader.MaxDepth}");
        RequireHeader(Depth == AnyDepth || header.Depth == Depth, location, "eh_depth", $"{header.Depth}, expected {Depth}");

        int room = ExtentHeader.CapacityOf(node.Length);
        RequireHeader(header.Capacity > 0 && header.Capacity <= room, location, "eh_max", $"{header.Capacity}, room for {room}");

        // An inner node without entries leads nowhere; an empty leaf is a file without blocks.
        bool isCountPossible = header.Entries <= header.Capacity && (header.Entries > 0 || header.IsLeaf);
        RequireHeader(isCountPossible, location, "eh_entries", $"{header.Entries} at depth {header.Depth}, eh_max is {header.Capacity}");
        return header;
    }

    private void CheckEntries(ReadOnlySpan<byte> node, ExtentHeader header, VolumeGeometry geometry, InodeBlockLocation location)
    {
        if (header.IsLeaf)
        {
            CheckLeaves(node, header.Entries, geometry, location);
        }
        else
        {
            CheckIndexes(node, header.Entries, geometry, location);
        }
    }

    private void CheckLeaves(ReadOnlySpan<byte> node, int count, VolumeGeometry geometry, InodeBlockLocation location)
    {
        ulong next = First;
        for (int i = 0; i < count; i++)
        {
            ExtentLeaf leaf = ExtentLeaf.Read(node, i);
            RequireNode(leaf.Length > 0, location, "ee_len", $"0 in entry {i}");
            RequireNode(
                leaf.First >= next && leaf.End <= End, location, "ee_block",
                $"{leaf.First}+{leaf.Length} in entry {i}, expected within {next} to {End}");
            RequireNode(
                geometry.Contains(leaf.Start, leaf.Length), location, "ee_start",
                $"{leaf.Start.Value}+{leaf.Length} in entry {i}, not on the volume");
            next = leaf.End;
        }
    }

    private void CheckIndexes(ReadOnlySpan<byte> node, int count, VolumeGeometry geometry, InodeBlockLocation location)
    {
        ulong next = First;
        for (int i = 0; i < count; i++)
        {
            ExtentIndex entry = ExtentIndex.Read(node, i);
            RequireNode(
                entry.First >= next && entry.First < End, location, "ei_block",
                $"{entry.First} in entry {i}, expected within {next} to {End}");
            RequireNode(
                geometry.Contains(entry.Child) && entry.Child != location.Block, location, "ei_leaf",
                $"{entry.Child.Value} in entry {i}, not on the volume or the node itself");
            next = entry.First + 1UL;
        }
    }

    private static void RequireHeader(
        bool holds, InodeBlockLocation location, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, "extent header", location, field, found);

    private static void RequireNode(
        bool holds, InodeBlockLocation location, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, "extent node", location, field, found);
}

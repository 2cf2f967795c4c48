using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Testing.Devices;

namespace Penstock.Testing.Ext4;

/// <summary>
/// Reads what is on a device the naive way, without any of the code that made it: trees by recursion, bitmaps bit by bit. Says what is wrong.
/// </summary>
internal sealed class VolumeInspector
{
    private readonly SimulatedDevice _device;
    private readonly Superblock _superblock;
    private readonly VolumeGeometry _geometry;

    public VolumeInspector(SimulatedDevice device)
    {
        _device = device;
        _superblock = Superblock.Parse(device.Peek(Superblock.VolumeOffset, Superblock.Size));
        _geometry = new VolumeGeometry(_superblock);
    }

    /// <summary>Who owns which block: files and their nodes, by what they are called in messages.</summary>
    public Dictionary<ulong, string> Owners { get; } = [];

    public List<string> Problems { get; } = [];

    /// <summary>Reads a whole extent tree from its root, and notes its blocks.</summary>
    public List<ExtentLeaf> ReadTree(InodeNumber inode, uint generation, ReadOnlySpan<byte> blockField)
    {
        var leaves = new List<ExtentLeaf>();
        uint seed = new MetadataChecksum(_superblock).SeedOf(inode, generation);
        ReadNode(inode, blockField, seed, expectedDepth: -1, expectedKey: null, leaves);
        for (int i = 1; i < leaves.Count; i++)
        {
            Expect(leaves[i].First >= leaves[i - 1].End, $"{inode}: {leaves[i]} overlaps {leaves[i - 1]}");
        }

        foreach (ExtentLeaf leaf in leaves)
        {
            for (ulong i = 0; i < leaf.Length; i++)
            {
                Own(leaf.Start.Value + i, $"{inode}");
            }
        }

        return leaves;
    }

    /// <summary>Reads a whole block map, and notes its blocks: a run for each pointer.</summary>
    public List<BlockRun> ReadBlockMap(InodeNumber inode, ReadOnlySpan<byte> blockField)
    {
        var runs = new List<BlockRun>();
        ulong next = 0;
        for (int slot = 0; slot < IndirectMap.SlotCount; slot++)
        {
            ReadPointer(inode, LittleEndian.U32(blockField, slot * 4), Math.Max(0, slot - IndirectMap.DirectCount + 1), ref next, runs);
        }

        return runs;
    }

    /// <summary>Notes that a block belongs to somebody; nobody else may have its cluster.</summary>
    public void Own(ulong block, string owner)
    {
        Expect(Owners.TryAdd(block, owner), $"block {block} belongs to {owner} and to {Owners.GetValueOrDefault(block)}");
    }

    /// <summary>Compares the bitmaps and counts with the owners noted so far and the volume's own structures.</summary>
    public void CheckBitmaps()
    {
        var used = new HashSet<ulong>(Owners.Keys.Select(b => b >> _geometry.LogClusterRatio));
        var checksum = new GroupChecksum(_superblock);
        var descriptors = Enumerable.Range(0, (int)_geometry.GroupCount).Select(i => ReadDescriptor((uint)i, checksum)).ToList();
        for (uint g = 0; g < descriptors.Count; g++)
        {
            var group = new BlockGroup(g);
            AddRange(used, _geometry.FirstBlockOf(group).Value, _geometry.HeadBlocksOf(group));
            AddRange(used, descriptors[(int)g].BlockBitmap.Value, 1);
            AddRange(used, descriptors[(int)g].InodeBitmap.Value, 1);
            AddRange(used, descriptors[(int)g].InodeTable.Value, _geometry.InodeTableBlocks);
        }

        ulong free = 0;
        for (uint g = 0; g < descriptors.Count; g++)
        {
            CheckBitmap(new BlockGroup(g), descriptors[(int)g], checksum, used);
            free += descriptors[(int)g].FreeClusters;
        }

        Expect(_superblock.FreeBlockCount == free << _geometry.LogClusterRatio, $"superblock: {_superblock.FreeBlockCount} free, groups say {free}");
    }

    private void ReadPointer(InodeNumber inode, uint pointer, int levels, ref ulong next, List<BlockRun> runs)
    {
        ulong pointers = (ulong)_geometry.BlockSize / 4;
        if (pointer == 0)
        {
            next += (ulong)Math.Pow(pointers, levels);
            return;
        }

        if (levels == 0)
        {
            Own(pointer, $"{inode}");
            runs.Add(new BlockRun(new FileBlock(next++), new VolumeBlock(pointer), 1, MapState.Mapped));
            return;
        }

        Own(pointer, $"the map of {inode}");
        byte[] node = _device.Peek((long)pointer * _geometry.BlockSize, _geometry.BlockSize);
        Expect(node.AsSpan().ContainsAnyExcept((byte)0), $"{inode}: the indirect block {pointer} is empty");
        for (ulong i = 0; i < pointers; i++)
        {
            ReadPointer(inode, LittleEndian.U32(node, (int)i * 4), levels - 1, ref next, runs);
        }
    }

    private void CheckBitmap(BlockGroup group, GroupDescriptor descriptor, GroupChecksum checksum, HashSet<ulong> used)
    {
        uint clusters = _geometry.ClustersIn(group);
        ulong first = _geometry.FirstBlockOf(group).Value;
        byte[] bitmap = _device.Peek((long)descriptor.BlockBitmap.Value * _geometry.BlockSize, _geometry.BlockSize);
        bool isUninit = checksum.IsUsed && descriptor.Is(GroupFlags.BlockUninit);
        uint free = 0;
        for (uint i = 0; i < clusters; i++)
        {
            bool isUsed = used.Contains(Cluster(first, i));
            bool isSet = isUninit ? isUsed : (bitmap[i / 8] & (1 << (int)(i % 8))) != 0;
            Expect(isSet == isUsed, $"{group}, cluster {i} (block {first + ((ulong)i << _geometry.LogClusterRatio)}): bit {isSet}, in use {isUsed}");
            free += isSet ? 0u : 1u;
        }

        Expect(free == descriptor.FreeClusters, $"{group}: {free} bits are clear, the descriptor counts {descriptor.FreeClusters}");
        if (!isUninit)
        {
            for (uint i = clusters; i < _geometry.BlockSize * 8; i++)
            {
                Expect((bitmap[i / 8] & (1 << (int)(i % 8))) != 0, $"{group}: padding bit {i} is clear");
            }

            uint computed = checksum.ComputeBitmap(bitmap, _geometry.ClustersPerGroup, _geometry.DescriptorSize);
            Expect(!checksum.CoversBitmaps || computed == descriptor.BlockBitmapChecksum, $"{group}: the bitmap's checksum is wrong");
        }
    }

    private ulong Cluster(ulong firstBlock, uint index) => _geometry.ClusterRatio == 1 ? firstBlock + index : (firstBlock >> _geometry.LogClusterRatio) + index;

    private void AddRange(HashSet<ulong> used, ulong first, ulong count)
    {
        for (ulong i = first; i < first + count; i++)
        {
            Expect(!Owners.ContainsKey(i), $"block {i} is the volume's own and belongs to {Owners.GetValueOrDefault(i)}");
            used.Add(i >> _geometry.LogClusterRatio);
        }
    }

    private GroupDescriptor ReadDescriptor(uint number, GroupChecksum checksum)
    {
        (VolumeBlock block, int offset) = _geometry.LocateDescriptor(new BlockGroup(number));
        byte[] raw = _device.Peek(((long)block.Value * _geometry.BlockSize) + offset, _geometry.DescriptorSize);
        return GroupDescriptor.Parse(raw, new BlockGroup(number), _geometry, checksum);
    }

    private void ReadNode(InodeNumber inode, ReadOnlySpan<byte> node, uint seed, int expectedDepth, uint? expectedKey, List<ExtentLeaf> leaves)
    {
        ExtentHeader header = ExtentHeader.Read(node);
        Expect(ExtentHeader.ReadMagic(node) == ExtentHeader.Magic, $"{inode}: a node has no magic number");
        Expect(expectedDepth < 0 || header.Depth == expectedDepth, $"{inode}: depth {header.Depth}, expected {expectedDepth}");
        Expect(header.Entries <= header.Capacity && (header.Entries > 0 || expectedDepth < 0), $"{inode}: {header.Entries} entries at depth {header.Depth}");
        if (header.Entries > 0 && expectedKey is { } key)
        {
            uint first = LittleEndian.U32(node, ExtentHeader.Size);
            Expect(first == key, $"{inode}: a node begins at {first}, its parent says {key}");
        }

        for (int i = 0; i < header.Entries; i++)
        {
            if (header.IsLeaf)
            {
                leaves.Add(ExtentLeaf.Read(node, i));
                continue;
            }

            ExtentIndex entry = ExtentIndex.Read(node, i);
            Own(entry.Child.Value, $"the tree of {inode}");
            byte[] child = _device.Peek((long)entry.Child.Value * _geometry.BlockSize, _geometry.BlockSize);
            Expect(
                !_superblock.HasMetadataChecksums || ExtentTail.Read(child) == ExtentTail.Compute(child, seed),
                $"{inode}: the checksum of the node at {entry.Child} is wrong");
            ReadNode(inode, child, seed, header.Depth - 1, entry.First, leaves);
        }
    }

    private void Expect(bool holds, string problem)
    {
        if (!holds)
        {
            Problems.Add(problem);
        }
    }
}

using System.Numerics;
using Penstock.Mapping;

namespace Penstock.Ext4.Format;

/// <summary>
/// What follows from a superblock: sizes, groups, and where the descriptors and their backups lie. Immutable.
/// See https://docs.kernel.org/filesystems/ext4/blockgroup.html.
/// </summary>
internal sealed class VolumeGeometry
{
    private readonly FeatureSet features;
    private readonly (uint First, uint Second) backupGroups;
    private readonly uint firstMetaBlockGroup;
    private readonly int reservedDescriptorBlocks;

    /// <param name="superblock">A superblock that passed its validation.</param>
    public VolumeGeometry(Superblock superblock)
    {
        features = superblock.Features;
        backupGroups = superblock.BackupGroups;
        firstMetaBlockGroup = superblock.FirstMetaBlockGroup;
        reservedDescriptorBlocks = superblock.ReservedDescriptorBlocks;

        BlockSize = superblock.BlockSize;
        LogBlockSize = BitOperations.Log2((uint)BlockSize);
        ClusterRatio = superblock.ClusterSize / BlockSize;
        LogClusterRatio = BitOperations.Log2((uint)ClusterRatio);
        BlockCount = superblock.BlockCount;
        FirstDataBlock = new VolumeBlock(superblock.FirstDataBlock);
        BlocksPerGroup = superblock.BlocksPerGroup;
        ClustersPerGroup = BlocksPerGroup / (uint)ClusterRatio;
        GroupCount = (uint)((((BlockCount - FirstDataBlock.Value) - 1) / BlocksPerGroup) + 1);

        InodeSize = superblock.InodeSize;
        InodeCount = superblock.InodeCount;
        InodesPerGroup = superblock.InodesPerGroup;
        InodesPerBlock = (uint)(BlockSize / InodeSize);
        InodeTableBlocks = (InodesPerGroup + InodesPerBlock - 1) / InodesPerBlock;
        FirstInode = superblock.FirstInode;

        DescriptorSize = superblock.DescriptorSize;
        DescriptorsPerBlock = (uint)(BlockSize / DescriptorSize);
        DescriptorBlockCount = (GroupCount + DescriptorsPerBlock - 1) / DescriptorsPerBlock;
        GroupsPerFlex = features.Has(IncompatFeatures.FlexBg) ? 1u << superblock.LogGroupsPerFlex : 1u;
    }

    /// <summary>Bytes of a block.</summary>
    public int BlockSize { get; }

    public int LogBlockSize { get; }

    /// <summary>Blocks of a cluster, 1 without bigalloc: a power of two.</summary>
    public int ClusterRatio { get; }

    public int LogClusterRatio { get; }

    /// <summary>All blocks of the volume, those before the first group too.</summary>
    public ulong BlockCount { get; }

    public VolumeBlock FirstDataBlock { get; }

    public uint BlocksPerGroup { get; }

    /// <summary>Bits in use of each block bitmap.</summary>
    public uint ClustersPerGroup { get; }

    public uint GroupCount { get; }

    public int InodeSize { get; }

    public uint InodeCount { get; }

    public uint InodesPerGroup { get; }

    public uint InodesPerBlock { get; }

    /// <summary>Blocks of each group's inode table.</summary>
    public uint InodeTableBlocks { get; }

    /// <summary>The first inode that is not reserved.</summary>
    public uint FirstInode { get; }

    public int DescriptorSize { get; }

    public uint DescriptorsPerBlock { get; }

    /// <summary>Blocks that one whole copy of the group descriptors takes.</summary>
    public uint DescriptorBlockCount { get; }

    /// <summary>Groups whose bitmaps and tables lie together; 1 without flex_bg.</summary>
    public uint GroupsPerFlex { get; }

    private bool HasMetaGroups => features.Has(IncompatFeatures.MetaBg);

    /// <summary>Block 1 where blocks are 1024 bytes, whatever s_first_data_block says: bigalloc sets that to 0.</summary>
    public VolumeBlock SuperblockBlock => new(BlockSize == Superblock.MinBlockSize ? 1u : 0u);

    public bool Contains(VolumeBlock block) => block.Value >= FirstDataBlock.Value && block.Value < BlockCount;

    /// <summary>Whether <paramref name="count"/> blocks from <paramref name="first"/> all lie on the volume; safe against overflow.</summary>
    public bool Contains(VolumeBlock first, ulong count) =>
        Contains(first) && count <= BlockCount - first.Value;

    public bool Contains(InodeNumber inode) => inode.Value >= 1 && inode.Value <= InodeCount;

    public VolumeBlock FirstBlockOf(BlockGroup group) => new(FirstDataBlock.Value + ((ulong)group.Value * BlocksPerGroup));

    /// <summary>Blocks of a group; only the last may have fewer than the others.</summary>
    public uint BlocksIn(BlockGroup group)
    {
        ulong rest = BlockCount - FirstBlockOf(group).Value;
        return (uint)Math.Min(rest, BlocksPerGroup);
    }

    /// <summary>Clusters of a group; a last one that is cut off by the end of the volume counts.</summary>
    public uint ClustersIn(BlockGroup group) => (BlocksIn(group) + (uint)ClusterRatio - 1) >> LogClusterRatio;

    public BlockGroup GroupOf(VolumeBlock block) => new((uint)((block.Value - FirstDataBlock.Value) / BlocksPerGroup));

    /// <summary>The bit of <paramref name="block"/>'s cluster in its group's block bitmap.</summary>
    public uint ClusterInGroup(VolumeBlock block) =>
        (uint)((block.Value - FirstDataBlock.Value) % BlocksPerGroup) >> LogClusterRatio;

    public InodeLocation Locate(InodeNumber inode)
    {
        uint zeroBased = (uint)(inode.Value - 1);
        (uint group, uint index) = Math.DivRem(zeroBased, InodesPerGroup);
        (uint block, uint slot) = Math.DivRem(index, InodesPerBlock);
        return new InodeLocation(new BlockGroup(group), index, block, (int)slot * InodeSize);
    }

    public InodeNumber InodeAt(BlockGroup group, uint index) => new(((ulong)group.Value * InodesPerGroup) + index + 1);

    /// <summary>Whether the group begins with a copy of the superblock (the primary one for group 0).</summary>
    public bool HasSuperblock(BlockGroup group)
    {
        uint number = group.Value;
        if (number == 0)
        {
            return true;
        }

        if (features.Has(CompatFeatures.SparseSuper2))
        {
            return number == backupGroups.First || number == backupGroups.Second;
        }

        if (number == 1 || !features.Has(ReadOnlyCompatFeatures.SparseSuper))
        {
            return true;
        }

        return IsPowerOf(number, 3) || IsPowerOf(number, 5) || IsPowerOf(number, 7);
    }

    /// <summary>Descriptor blocks that a group carries: a whole copy, one block of a meta group, or none.</summary>
    public uint DescriptorBlocksAt(BlockGroup group)
    {
        uint metaGroup = group.Value / DescriptorsPerBlock;
        if (!HasMetaGroups || metaGroup < firstMetaBlockGroup)
        {
            return HasSuperblock(group) ? LinearDescriptorBlocks : 0;
        }

        uint place = group.Value % DescriptorsPerBlock;
        return place == 0 || place == 1 || place == DescriptorsPerBlock - 1 ? 1u : 0u;
    }

    /// <summary>Blocks after a group's descriptor blocks that resize_inode keeps for their growth.</summary>
    public uint ReservedDescriptorBlocksAt(BlockGroup group) =>
        HasSuperblock(group) && !HasMetaGroups ? (uint)reservedDescriptorBlocks : 0;

    /// <summary>Blocks at the start of a group for superblock, descriptors and their reserve.</summary>
    public uint HeadBlocksOf(BlockGroup group)
    {
        // With 1 KiB blocks and bigalloc, group 0 begins at block 0 and the superblock is block 1.
        uint bootBlock = group.Value == 0 ? (uint)(SuperblockBlock.Value - FirstDataBlock.Value) : 0;
        uint super = HasSuperblock(group) ? 1u : 0u;
        return bootBlock + super + DescriptorBlocksAt(group) + ReservedDescriptorBlocksAt(group);
    }

    /// <summary>The block with the primary copy of the descriptors of <paramref name="index"/> * <see cref="DescriptorsPerBlock"/> and on.</summary>
    public VolumeBlock DescriptorBlock(uint index)
    {
        if (!HasMetaGroups || index < firstMetaBlockGroup)
        {
            return SuperblockBlock + 1u + index;
        }

        var group = new BlockGroup(index * DescriptorsPerBlock);
        VolumeBlock start = group.Value == 0 ? SuperblockBlock : FirstBlockOf(group);
        return HasSuperblock(group) ? start + 1u : start;
    }

    /// <summary>The block, and the byte in it, of the primary descriptor of a group.</summary>
    public (VolumeBlock Block, int Offset) LocateDescriptor(BlockGroup group)
    {
        (uint block, uint slot) = Math.DivRem(group.Value, DescriptorsPerBlock);
        return (DescriptorBlock(block), (int)slot * DescriptorSize);
    }

    /// <summary>Blocks that hold the volume's own static structures, journal not counted: what statfs leaves out of the size.</summary>
    public ulong CountOverheadBlocks()
    {
        ulong overhead = FirstDataBlock.Value + ((ulong)GroupCount * (2 + InodeTableBlocks));
        for (uint group = 0; group < GroupCount; group++)
        {
            overhead += HeadBlocksOf(new BlockGroup(group));
        }

        return overhead;
    }

    private uint LinearDescriptorBlocks => HasMetaGroups ? Math.Min(firstMetaBlockGroup, DescriptorBlockCount) : DescriptorBlockCount;

    private static bool IsPowerOf(uint number, uint radix)
    {
        ulong power = radix;
        while (power < number)
        {
            power *= radix;
        }

        return power == number;
    }
}

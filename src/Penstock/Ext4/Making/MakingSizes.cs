using System.Numerics;
using Penstock.Ext4.Format;

namespace Penstock.Ext4.Making;

/// <summary>
/// Chooses block size, groups, inodes and descriptors of a new volume so that they come out as mke2fs makes them, and fills
/// a superblock with them. A last group too small for its own structures is left off.
/// </summary>
internal sealed class MakingSizes
{
    private const long Mebibyte = 1L << 20;
    private const long Tebibyte = 1L << 40;
    private const uint MaxGroupClusters = (1u << 16) - 8;
    private const uint MaxGroupInodes = 1u << 16;
    private const int MinDataBlocksInGroup = 50;
    private const int BlocksPerClusterByDefault = 16;
    private const int MaxClusterSize = 1 << 29;
    private const int PageSize = 4096;
    private const int FilesAfterReserved = 2; // project quota and orphan file, after lost+found
    private const ulong GrowthByReserve = 1024;

    private readonly MakingOptions options;
    private readonly long length;
    private readonly Superblock made;
    private FeatureSet features;

    private MakingSizes(MakingOptions options, long length)
    {
        this.options = options;
        this.length = length;
        made = Superblock.Create();
        features = MakingFeatures.Choose(options);
    }

    private uint ClusterRatio => 1u << (int)(made.LogClusterSize - made.LogBlockSize);

    private ulong GroupCount => ((made.BlockCount - made.FirstDataBlock) - 1) / made.BlocksPerGroup + 1;

    /// <summary>A superblock with every field that says how large something is.</summary>
    /// <param name="options">What the caller wants.</param>
    /// <param name="length">Bytes that are there.</param>
    /// <exception cref="FileSystemException">A value is out of its range, or the volume would be too small or too large.</exception>
    public static Superblock Choose(MakingOptions options, long length)
    {
        var sizes = new MakingSizes(options, Math.Min(length, options.Length ?? length));
        sizes.ChooseUnits();
        sizes.ChooseGroups();
        return sizes.made;
    }

    private void ChooseUnits()
    {
        int blockSize = ChooseBlockSize();
        int clusterSize = ChooseClusterSize(blockSize);

        ulong blocks = (ulong)(length / Math.Max(PageSize, blockSize) * Math.Max(PageSize, blockSize)) / (uint)blockSize;
        blocks -= blocks % (uint)(clusterSize / blockSize);
        Require64Bit(blocks);
        if (blockSize == Superblock.MinBlockSize && clusterSize > blockSize)
        {
            // Such a volume counts its groups from block 0 with the superblock in block 1; the tools place the resize inode's blocks wrongly then.
            features = features.Without(CompatFeatures.ResizeInode);
        }

        made.Features = features;
        made.BlockCount = blocks;
        made.LogBlockSize = (uint)BitOperations.Log2((uint)blockSize / Superblock.MinBlockSize);
        made.LogClusterSize = (uint)BitOperations.Log2((uint)clusterSize / Superblock.MinBlockSize);
        made.FirstDataBlock = made.LogClusterSize == 0 ? 1u : 0u;
        made.InodeSize = options.InodeSize;
        made.FirstInode = 11;
        made.DescriptorSize = features.Has(IncompatFeatures.Is64Bit) ? GroupDescriptor.LargeSize : 0;
        made.LogGroupsPerFlex = features.Has(IncompatFeatures.FlexBg) ? (byte)BitOperations.Log2((uint)options.GroupsPerFlex) : (byte)0;
    }

    private int ChooseBlockSize()
    {
        int blockSize = options.BlockSize ?? DefaultBlockSize();
        bool isBlock = BitOperations.IsPow2(blockSize) && blockSize is >= Superblock.MinBlockSize and <= Superblock.MaxBlockSize;
        Require(isBlock, $"{blockSize} is no block size: a power of two from 1024 to 65536");
        int inodeSize = options.InodeSize;
        bool isInode = BitOperations.IsPow2(inodeSize) && inodeSize >= InodeRecord.MinSize && inodeSize <= blockSize;
        Require(isInode, $"{inodeSize} is no inode size: a power of two from 128 to the block size");
        Require(options.ReservedPercent is >= 0 and <= 50, $"{options.ReservedPercent} is no percentage of reserved blocks: 0 to 50");
        bool isFlex = BitOperations.IsPow2(options.GroupsPerFlex) && options.GroupsPerFlex >= 1;
        Require(isFlex, $"{options.GroupsPerFlex} is no number of groups: a power of two");
        return blockSize;
    }

    private int ChooseClusterSize(int blockSize)
    {
        if (!features.Has(ReadOnlyCompatFeatures.BigAlloc))
        {
            return blockSize;
        }

        int clusterSize = options.ClusterSize ?? blockSize * BlocksPerClusterByDefault;
        bool isCluster = BitOperations.IsPow2(clusterSize) && clusterSize > blockSize && clusterSize <= MaxClusterSize;
        Require(isCluster, $"{clusterSize} is no cluster size: a power of two above the block size, up to 512 MiB");
        return clusterSize;
    }

    private void Require64Bit(ulong blocks)
    {
        if (blocks <= uint.MaxValue)
        {
            return;
        }

        Require(features.Has(IncompatFeatures.Is64Bit), $"{blocks} blocks need the feature 64bit, or larger blocks");

        // The resize inode numbers blocks with 32 bits.
        features = features.Without(CompatFeatures.ResizeInode);
    }

    private void ChooseGroups()
    {
        ulong asked = made.BlockCount;
        ulong wantedInodes = WantedInodes();
        uint clusters = Math.Min((uint)made.BlockSize * 8, MaxGroupClusters);
        while (true)
        {
            if (made.BlockCount <= made.FirstDataBlock + 8)
            {
                throw TooSmall(asked);
            }

            made.ClustersPerGroup = clusters;
            made.BlocksPerGroup = clusters * ClusterRatio;
            if (!TryChooseInodes(wantedInodes))
            {
                // More inodes than the bitmaps of so few groups can count: smaller groups, and so more of them.
                Require(clusters >= 256, $"{wantedInodes} inodes are too many for {asked} blocks");
                clusters -= 8;
                made.BlockCount = asked;
                continue;
            }

            ChooseDescriptors();
            ulong rest = (made.BlockCount - made.FirstDataBlock) % made.BlocksPerGroup;
            ulong overhead = OverheadOfLastGroup();
            if (GroupCount == 1 && rest != 0 && rest < overhead)
            {
                throw TooSmall(asked);
            }

            if (rest == 0 || rest >= overhead + MinDataBlocksInGroup)
            {
                break;
            }

            made.BlockCount -= rest;
        }

        // The share of what was asked for, then of what came of it: two roundings, as in mke2fs.
        ulong reserved = (ulong)(options.ReservedPercent * asked / 100.0);
        made.ReservedBlockCount = (ulong)((UInt128)made.BlockCount * reserved / asked);
    }

    private ulong WantedInodes()
    {
        if (options.InodeCount is { } count)
        {
            Require(count is > 0 and <= uint.MaxValue, $"{count} is no number of inodes");
            return Math.Max((ulong)count, made.FirstInode + 1);
        }

        long ratio = options.BytesPerInode ?? Math.Max(DefaultBytesPerInode(), made.ClusterSize);
        Require(ratio >= Superblock.MinBlockSize, $"one inode for {ratio} bytes: it must be at least 1024");
        ulong wanted = (ulong)(((UInt128)made.BlockCount * (uint)made.BlockSize) / (ulong)ratio);
        return Math.Clamp(wanted, made.FirstInode + 1, uint.MaxValue);
    }

    private bool TryChooseInodes(ulong wanted)
    {
        uint blockSize = (uint)made.BlockSize;
        uint inodeSize = (uint)made.InodeSize;
        ulong perGroup = (wanted + GroupCount - 1) / GroupCount;
        if (perGroup > blockSize * 8)
        {
            return false;
        }

        perGroup = Math.Min(perGroup, MaxGroupInodes - (blockSize / inodeSize));
        ulong rounded = RoundInodes(perGroup);
        while (rounded * GroupCount > uint.MaxValue)
        {
            rounded = RoundInodes(--perGroup);
        }

        // Rounding down must leave room for the files that a volume begins with.
        while (rounded * GroupCount < made.FirstInode + FilesAfterReserved)
        {
            rounded = RoundInodes(perGroup += 8);
        }

        made.InodesPerGroup = (uint)rounded;
        made.InodeCount = (uint)(rounded * GroupCount);
        return true;
    }

    /// <summary>Whole blocks of the table, and whole bytes of the bitmap.</summary>
    private ulong RoundInodes(ulong perGroup)
    {
        ulong blockSize = (uint)made.BlockSize;
        ulong inodeSize = (uint)made.InodeSize;
        ulong tableBlocks = ((perGroup * inodeSize) + blockSize - 1) / blockSize;
        return Math.Max(tableBlocks * blockSize / inodeSize, 8) & ~7UL;
    }

    private void ChooseDescriptors()
    {
        made.Features = features;
        ulong perBlock = (ulong)(made.BlockSize / made.DescriptorSize);
        ulong blocks = (GroupCount + perBlock - 1) / perBlock;
        if (!features.Has(IncompatFeatures.MetaBg) && blocks > made.BlocksPerGroup * 3UL / 4)
        {
            // A whole copy of the descriptors no longer fits a group.
            features = features.With(IncompatFeatures.MetaBg).Without(CompatFeatures.ResizeInode);
            made.Features = features;
        }

        made.ReservedDescriptorBlocks = features.Has(CompatFeatures.ResizeInode) ? ReserveFor(perBlock, blocks) : (ushort)0;
        if (features.Has(CompatFeatures.SparseSuper2))
        {
            made.BackupGroups = (GroupCount > 1 ? 1u : 0u, GroupCount > 2 ? (uint)GroupCount - 1 : 0u);
        }
    }

    // Room to grow 1024-fold, as far as 32-bit block numbers and one block of pointers go.
    private ushort ReserveFor(ulong descriptorsPerBlock, ulong descriptorBlocks)
    {
        ulong largest = Math.Min(uint.MaxValue, made.BlockCount * GrowthByReserve);
        ulong groups = (largest - made.FirstDataBlock + made.BlocksPerGroup - 1) / made.BlocksPerGroup;
        ulong needed = (groups + descriptorsPerBlock - 1) / descriptorsPerBlock;
        return needed <= descriptorBlocks ? (ushort)0 : (ushort)Math.Min(needed - descriptorBlocks, (uint)made.BlockSize / 4);
    }

    private ulong OverheadOfLastGroup()
    {
        var geometry = new VolumeGeometry(made);
        return 2 + geometry.InodeTableBlocks + geometry.HeadBlocksOf(new BlockGroup(geometry.GroupCount - 1));
    }

    private int DefaultBlockSize() => length < 512 * Mebibyte ? 1024 : 4096;

    private long DefaultBytesPerInode() => length switch
    {
        < 3 * Mebibyte => 8192,
        < 512 * Mebibyte => 4096,
        < 4 * Tebibyte => 16384,
        < 16 * Tebibyte => 32768,
        _ => 65536,
    };

    private static FileSystemException TooSmall(ulong blocks) =>
        new(IoFault.NoSpace, $"{blocks} blocks are too few for a volume: its own structures do not fit");

    private static void Require(bool holds, string message)
    {
        if (!holds)
        {
            throw new FileSystemException(IoFault.InvalidArgument, message);
        }
    }
}

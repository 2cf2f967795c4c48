using System.Numerics;
using System.Runtime.CompilerServices;

namespace Penstock.Ext4.Format;

/// <summary>The ranges a superblock must keep before anything is computed from it: no division, shift or product below can overflow.</summary>
internal static class SuperblockValidation
{
    private const uint MaxLogBlockSize = 6;
    private const uint MaxLogClusterSize = 19; // 512 MiB, the largest cluster mke2fs makes.
    private const uint MinFirstInode = 11;
    private const int MaxLogGroupsPerFlex = 31;

    public static void Check(Superblock superblock, string location)
    {
        CheckIdentity(superblock, location);
        CheckFields(superblock, location);
    }

    /// <summary>The ranges alone: for a superblock that has yet to be written and so has no checksum.</summary>
    public static void CheckFields(Superblock superblock, string location)
    {
        CheckSizes(superblock, location);
        CheckGroups(superblock, location);
        CheckInodes(superblock, location);
        CheckDescriptors(superblock, location);
    }

    /// <summary>A volume must not reach past the end of its device: a truncated image is found here and not at some later read.</summary>
    public static void CheckAgainstDevice(Superblock superblock, long deviceLength, string location = "offset 1024")
    {
        ulong available = (ulong)deviceLength / (uint)superblock.BlockSize;
        Require(
            superblock.BlockCount <= available, location, "s_blocks_count",
            $"{superblock.BlockCount}, but the device holds only {available} blocks of {superblock.BlockSize} bytes");
    }

    private static void CheckIdentity(Superblock superblock, string location)
    {
        Require(superblock.Magic == Superblock.ExpectedMagic, location, "s_magic", $"0x{superblock.Magic:X4}, expected 0xEF53");
        Require(superblock.Revision <= Superblock.DynamicRevision, location, "s_rev_level", $"{superblock.Revision}, expected 0 or 1");
        if (superblock.HasMetadataChecksums)
        {
            Require(
                superblock.ChecksumType == Superblock.Crc32CChecksumType, location, "s_checksum_type",
                $"{superblock.ChecksumType}, expected 1 (crc32c)");
            Require(
                superblock.IsChecksumRight, location, "s_checksum",
                $"0x{superblock.StoredChecksum:x8}, computed 0x{superblock.ComputeChecksum():x8}");
        }
    }

    private static void CheckSizes(Superblock superblock, string location)
    {
        uint logBlock = superblock.LogBlockSize;
        Require(logBlock <= MaxLogBlockSize, location, "s_log_block_size", $"{logBlock}, expected 0 to {MaxLogBlockSize}");

        uint logCluster = superblock.LogClusterSize;
        bool hasClusters = superblock.Has(ReadOnlyCompatFeatures.BigAlloc);
        Require(
            hasClusters ? logCluster >= logBlock && logCluster <= MaxLogClusterSize : logCluster == logBlock,
            location, "s_log_cluster_size", $"{logCluster} with s_log_block_size {logBlock}");

        uint expectedFirst = superblock.BlockSize == Superblock.MinBlockSize && superblock.ClusterSize == superblock.BlockSize ? 1u : 0u;
        Require(
            superblock.FirstDataBlock == expectedFirst, location, "s_first_data_block",
            $"{superblock.FirstDataBlock}, expected {expectedFirst}");

        // 2^52 blocks of 4 KiB fill a signed 64-bit byte offset's 2^63; nothing larger can be addressed.
        ulong largest = (ulong)long.MaxValue / (uint)superblock.BlockSize;
        Require(
            superblock.BlockCount > superblock.FirstDataBlock && superblock.BlockCount <= largest, location, "s_blocks_count",
            $"{superblock.BlockCount}");
        Require(
            superblock.ReservedBlockCount <= superblock.BlockCount, location, "s_r_blocks_count",
            $"{superblock.ReservedBlockCount}, more than the {superblock.BlockCount} blocks there are");
    }

    private static void CheckGroups(Superblock superblock, string location)
    {
        uint bitsPerBitmap = (uint)superblock.BlockSize * 8;
        uint ratio = (uint)(superblock.ClusterSize / superblock.BlockSize);
        uint clusters = superblock.Has(ReadOnlyCompatFeatures.BigAlloc) ? superblock.ClustersPerGroup : superblock.BlocksPerGroup;
        string field = superblock.Has(ReadOnlyCompatFeatures.BigAlloc) ? "s_clusters_per_group" : "s_blocks_per_group";
        Require(
            clusters >= 8 && clusters <= bitsPerBitmap && clusters % 8 == 0, location, field,
            $"{clusters}, expected a multiple of 8 up to {bitsPerBitmap}");
        Require(
            superblock.BlocksPerGroup == (ulong)clusters * ratio, location, "s_blocks_per_group",
            $"{superblock.BlocksPerGroup}, expected {(ulong)clusters * ratio}");

        ulong groups = GroupCount(superblock);
        Require(groups <= uint.MaxValue - bitsPerBitmap, location, "s_blocks_count", $"{superblock.BlockCount}, which makes {groups} groups");
        Require(
            superblock.LogGroupsPerFlex <= MaxLogGroupsPerFlex, location, "s_log_groups_per_flex",
            $"{superblock.LogGroupsPerFlex}, expected at most {MaxLogGroupsPerFlex}");
    }

    private static void CheckInodes(Superblock superblock, string location)
    {
        int size = superblock.InodeSize;
        Require(
            size >= InodeRecord.MinSize && size <= superblock.BlockSize && BitOperations.IsPow2(size), location, "s_inode_size",
            $"{size}, expected a power of two from 128 to {superblock.BlockSize}");

        uint perGroup = superblock.InodesPerGroup;
        uint perBlock = (uint)(superblock.BlockSize / size);
        uint bitsPerBitmap = (uint)superblock.BlockSize * 8;
        Require(
            perGroup >= perBlock && perGroup <= bitsPerBitmap && perGroup % 8 == 0, location, "s_inodes_per_group",
            $"{perGroup}, expected a multiple of 8 from {perBlock} to {bitsPerBitmap}");

        ulong expected = GroupCount(superblock) * perGroup;
        Require(superblock.InodeCount == expected, location, "s_inodes_count", $"{superblock.InodeCount}, expected {expected}");
        Require(
            superblock.FirstInode >= MinFirstInode && superblock.FirstInode <= superblock.InodeCount, location, "s_first_ino",
            $"{superblock.FirstInode}, expected {MinFirstInode} to {superblock.InodeCount}");

        int extra = Math.Max(superblock.MinExtraInodeSize, superblock.WantExtraInodeSize);
        Require(
            size == InodeRecord.MinSize || extra <= size - InodeRecord.MinSize, location, "s_want_extra_isize",
            $"{extra} in inodes of {size} bytes");
    }

    private static void CheckDescriptors(Superblock superblock, string location)
    {
        int size = superblock.DescriptorSize;
        Require(
            !superblock.Is64Bit || (size >= GroupDescriptor.LargeSize && size <= superblock.BlockSize && BitOperations.IsPow2(size)),
            location, "s_desc_size", $"{size}, expected a power of two from 64 to {superblock.BlockSize}");
        Require(
            superblock.ReservedDescriptorBlocks <= superblock.BlockSize / 4, location, "s_reserved_gdt_blocks",
            $"{superblock.ReservedDescriptorBlocks}, expected at most {superblock.BlockSize / 4}");

        ulong perBlock = (ulong)(superblock.BlockSize / size);
        ulong blocks = (GroupCount(superblock) + perBlock - 1) / perBlock;
        Require(
            !superblock.Has(IncompatFeatures.MetaBg) || superblock.FirstMetaBlockGroup <= blocks, location, "s_first_meta_bg",
            $"{superblock.FirstMetaBlockGroup}, more than the {blocks} descriptor blocks");
    }

    private static ulong GroupCount(Superblock superblock)
    {
        ulong blocks = superblock.BlockCount - superblock.FirstDataBlock;
        return ((blocks - 1) / superblock.BlocksPerGroup) + 1;
    }

    private static void Require(
        bool holds, string location, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, "superblock", location, field, found);
}

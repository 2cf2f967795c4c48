using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>What a superblock says that can be computed with, and is wrong all the same.</summary>
internal static class SuperblockCheck
{
    private const string Structure = "superblock";

    /// <summary>Judges the fields; false if so much is wrong that nothing else can be checked.</summary>
    public static bool Run(CheckRun run)
    {
        Superblock s = run.Superblock;
        bool isSound = CheckFatal(run, s);
        ulong available = (ulong)run.Store.Device.Length / (uint)run.BlockSize;
        if (s.BlockCount > available)
        {
            // A volume whose end is cut off is sound as far as it can be read. Who repairs would write beyond the end, or give up what lies on another disk.
            run.Log.Note(Structure, "offset 1024", $"s_blocks_count is {s.BlockCount}, but the device holds {available} blocks");
            isSound &= run.Repair is null;
        }

        CheckFeatures(run, s);
        CheckInodes(run, s);
        return isSound;
    }

    private static bool CheckFatal(CheckRun run, Superblock s)
    {
        long before = run.Log.Count;
        string? unknown = SuperblockSearch.FindUnknown(s);
        Require(run, unknown is null, unknown ?? string.Empty);
        uint first = s.BlockSize == Superblock.MinBlockSize && s.ClusterSize == s.BlockSize ? 1u : 0u;
        Require(run, s.FirstDataBlock == first, $"s_first_data_block is {s.FirstDataBlock}, expected {first}");
        Require(run, s.ReservedBlockCount <= s.BlockCount / 2, $"s_r_blocks_count is {s.ReservedBlockCount} of {s.BlockCount}");
        Require(
            run, s.ReservedDescriptorBlocks <= s.BlockSize / 4, $"s_reserved_gdt_blocks is {s.ReservedDescriptorBlocks}");
        Require(run, s.FirstInode >= 11 && s.FirstInode <= s.InodeCount, $"s_first_ino is {s.FirstInode}");
        Require(run, s.LogGroupsPerFlex <= 31, $"s_log_groups_per_flex is {s.LogGroupsPerFlex}");
        return run.Log.Count == before;
    }

    private static void CheckFeatures(CheckRun run, Superblock s)
    {
        Require(run, !s.Is64Bit || s.Has(IncompatFeatures.Extents), "feature 64bit is set and extent is not");
        Require(
            run, !s.HasMetadataChecksums || !s.Has(ReadOnlyCompatFeatures.UninitBg), "both metadata_csum and uninit_bg are set");
        Require(
            run, !s.Has(IncompatFeatures.MetadataCsumSeed) || s.HasMetadataChecksums, "feature metadata_csum_seed is set and metadata_csum is not");
    }

    private static void CheckInodes(CheckRun run, Superblock s)
    {
        int largest = s.InodeSize - InodeRecord.MinSize;
        Require(
            run, s.InodeSize == InodeRecord.MinSize || s.MinExtraInodeSize <= largest, $"s_min_extra_isize is {s.MinExtraInodeSize}");
        Require(
            run, s.InodeSize == InodeRecord.MinSize || s.WantExtraInodeSize <= largest, $"s_want_extra_isize is {s.WantExtraInodeSize}");
    }

    private static void Require(CheckRun run, bool holds, string found)
    {
        if (!holds)
        {
            Report(run, found);
        }
    }

    private static void Report(CheckRun run, string found) =>
        run.Log.Problem(Structure, run.SuperblockAt == run.Geometry.SuperblockBlock ? "offset 1024" : $"block {run.SuperblockAt.Value}", found);
}

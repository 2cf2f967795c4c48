using System.Numerics;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Ext4.Checking;

/// <summary>Finds a superblock that everything else can be computed from: the primary one, or else a backup where mke2fs puts the first.</summary>
internal static class SuperblockSearch
{
    private const CompatFeatures KnownCompat =
        CompatFeatures.DirPrealloc | CompatFeatures.ImagicInodes | CompatFeatures.HasJournal | CompatFeatures.ExtAttr | CompatFeatures.ResizeInode
        | CompatFeatures.DirIndex | CompatFeatures.LazyBg | CompatFeatures.ExcludeBitmap | CompatFeatures.SparseSuper2 | CompatFeatures.FastCommit
        | CompatFeatures.StableInodes | CompatFeatures.OrphanFile;

    private const IncompatFeatures Known =
        IncompatFeatures.FileType | IncompatFeatures.NeedsRecovery | IncompatFeatures.MetaBg | IncompatFeatures.Extents
        | IncompatFeatures.Is64Bit | IncompatFeatures.Mmp | IncompatFeatures.FlexBg | IncompatFeatures.EaInode
        | IncompatFeatures.MetadataCsumSeed | IncompatFeatures.LargeDir | IncompatFeatures.InlineData | IncompatFeatures.Encrypt
        | IncompatFeatures.CaseFold;

    private const ReadOnlyCompatFeatures KnownReadOnly =
        ReadOnlyCompatFeatures.SparseSuper | ReadOnlyCompatFeatures.LargeFile | ReadOnlyCompatFeatures.HugeFile | ReadOnlyCompatFeatures.UninitBg
        | ReadOnlyCompatFeatures.DirNlink | ReadOnlyCompatFeatures.ExtraIsize | ReadOnlyCompatFeatures.Quota | ReadOnlyCompatFeatures.BigAlloc
        | ReadOnlyCompatFeatures.MetadataCsum | ReadOnlyCompatFeatures.ReadOnly | ReadOnlyCompatFeatures.Project
        | ReadOnlyCompatFeatures.SharedBlocks | ReadOnlyCompatFeatures.Verity | ReadOnlyCompatFeatures.OrphanPresent
        | ReadOnlyCompatFeatures.Snapshot | ReadOnlyCompatFeatures.Replica;

    /// <summary>The primary superblock if it is acceptable; else null, with the reason in the log.</summary>
    public static async ValueTask<Superblock?> ReadPrimaryAsync(Devices.BlockDevice device, ProblemLog log)
    {
        Superblock? primary = await ReadAsync(device, Superblock.VolumeOffset).ConfigureAwait(false);
        string? fault = primary is null ? "it cannot be read" : FindFault(primary, requireChecksum: true);
        if (fault is null)
        {
            return primary;
        }

        log.Note("superblock", $"offset {Superblock.VolumeOffset}", fault);
        return null;
    }

    /// <summary>
    /// The primary superblock where it counts its inodes wrongly and is acceptable otherwise, with their number put right: for a volume without a backup
    /// that can be found.
    /// </summary>
    public static async ValueTask<(Superblock Found, string Fault)?> ReadMiscountedAsync(Devices.BlockDevice device)
    {
        if (await ReadAsync(device, Superblock.VolumeOffset).ConfigureAwait(false) is not { } primary || FindFault(primary, requireChecksum: true) is not { } fault
            || primary.InodesPerGroup == 0 || primary.BlocksPerGroup == 0 || primary.FirstDataBlock >= primary.BlockCount)
        {
            return null;
        }

        ulong inodes = (((primary.BlockCount - primary.FirstDataBlock - 1) / primary.BlocksPerGroup) + 1) * primary.InodesPerGroup;
        primary.InodeCount = (uint)Math.Min(inodes, uint.MaxValue);
        return FindFault(primary, requireChecksum: false) is null ? (primary, fault) : null;
    }

    /// <summary>The first backup that is acceptable, and its block.</summary>
    /// <param name="device">The volume.</param>
    /// <param name="primary">A primary superblock whose word for the size of groups is to be taken; else backups lie where mke2fs puts them unasked.</param>
    public static async ValueTask<(Superblock Found, VolumeBlock Block)?> ReadBackupAsync(Devices.BlockDevice device, Superblock? primary = null)
    {
        if (primary is { LogBlockSize: <= 6 })
        {
            ulong block = (ulong)primary.BlocksPerGroup + primary.FirstDataBlock;
            Superblock? backup = await ReadAsync(device, (long)block * primary.BlockSize).ConfigureAwait(false);
            if (backup is not null && FindFault(backup, requireChecksum: true) is null && backup.BlockSize == primary.BlockSize)
            {
                return (backup, new VolumeBlock(block));
            }
        }

        for (int size = Superblock.MinBlockSize; size <= Superblock.MaxBlockSize; size *= 2)
        {
            ulong block = ((ulong)size * 8) + (size == Superblock.MinBlockSize ? 1u : 0u);
            Superblock? backup = await ReadAsync(device, (long)block * size).ConfigureAwait(false);
            if (backup is not null && FindFault(backup, requireChecksum: true) is null && backup.BlockSize == size)
            {
                return (backup, new VolumeBlock(block));
            }
        }

        return null;
    }

    /// <summary>What makes a superblock useless, or null.</summary>
    public static string? FindFault(Superblock s, bool requireChecksum)
    {
        if (s.Magic != Superblock.ExpectedMagic)
        {
            return $"s_magic is 0x{s.Magic:X4}, expected 0xEF53";
        }

        if (s.Revision > Superblock.DynamicRevision)
        {
            return $"s_rev_level is {s.Revision}";
        }

        if (requireChecksum && s.HasMetadataChecksums && (s.ChecksumType != Superblock.Crc32CChecksumType || !s.IsChecksumRight))
        {
            return $"s_checksum is 0x{s.StoredChecksum:x8}, computed 0x{s.ComputeChecksum():x8}";
        }

        return FindBadSize(s) ?? FindBadGroups(s);
    }

    /// <summary>Features that cannot be checked; such a volume is left to others.</summary>
    public static string? FindUnknown(Superblock s)
    {
        CompatFeatures compat = s.Features.Compat & ~KnownCompat;
        IncompatFeatures incompat = s.Features.Incompat & ~Known;
        ReadOnlyCompatFeatures readOnly = s.Features.ReadOnlyCompat & ~KnownReadOnly;
        return compat == 0 && incompat == 0 && readOnly == 0 ? null
            : $"features that are not known: {string.Join(' ', [.. FeatureNames.Of(compat), .. FeatureNames.Of(incompat), .. FeatureNames.Of(readOnly)])}";
    }

    private static string? FindBadSize(Superblock s)
    {
        bool hasClusters = s.Has(ReadOnlyCompatFeatures.BigAlloc);
        if (s.LogBlockSize > 6 || (hasClusters ? s.LogClusterSize < s.LogBlockSize || s.LogClusterSize > 19 : s.LogClusterSize != s.LogBlockSize))
        {
            return $"s_log_block_size is {s.LogBlockSize} and s_log_cluster_size {s.LogClusterSize}";
        }

        if (s.InodeSize < InodeRecord.MinSize || s.InodeSize > s.BlockSize || !BitOperations.IsPow2(s.InodeSize))
        {
            return $"s_inode_size is {s.InodeSize}";
        }

        bool isDescriptorSizeWrong = s.Is64Bit
            && (s.DescriptorSize < GroupDescriptor.LargeSize || s.DescriptorSize > s.BlockSize || !BitOperations.IsPow2(s.DescriptorSize));
        return isDescriptorSizeWrong ? $"s_desc_size is {s.DescriptorSize}" : null;
    }

    private static string? FindBadGroups(Superblock s)
    {
        uint ratio = (uint)(s.ClusterSize / s.BlockSize);
        uint bits = (uint)s.BlockSize * 8;
        uint clusters = s.Has(ReadOnlyCompatFeatures.BigAlloc) ? s.ClustersPerGroup : s.BlocksPerGroup;
        bool isSame = s.Has(ReadOnlyCompatFeatures.BigAlloc) || s.ClustersPerGroup == s.BlocksPerGroup;
        if (!isSame || clusters < 8 || clusters > bits || clusters % 8 != 0 || s.BlocksPerGroup != (ulong)clusters * ratio)
        {
            return $"s_blocks_per_group is {s.BlocksPerGroup} and s_clusters_per_group {s.ClustersPerGroup}";
        }

        if (s.FirstDataBlock >= s.BlockCount || s.BlockCount > (ulong)long.MaxValue / (uint)s.BlockSize)
        {
            return $"s_blocks_count is {s.BlockCount}, s_first_data_block {s.FirstDataBlock}";
        }

        ulong groups = ((s.BlockCount - s.FirstDataBlock - 1) / s.BlocksPerGroup) + 1;
        uint perBlock = (uint)(s.BlockSize / s.InodeSize);
        if (s.InodesPerGroup < perBlock || s.InodesPerGroup > bits || s.InodesPerGroup % 8 != 0 || groups > int.MaxValue / 2)
        {
            return $"s_inodes_per_group is {s.InodesPerGroup} in {groups} groups";
        }

        ulong descriptorBlocks = (groups + (ulong)(s.BlockSize / s.DescriptorSize) - 1) / (ulong)(s.BlockSize / s.DescriptorSize);
        return groups * s.InodesPerGroup != s.InodeCount ? $"s_inodes_count is {s.InodeCount}, expected {groups * s.InodesPerGroup}"
            : s.Has(IncompatFeatures.MetaBg) && s.FirstMetaBlockGroup > descriptorBlocks ? $"s_first_meta_bg is {s.FirstMetaBlockGroup}"
            : null;
    }

    private static async ValueTask<Superblock?> ReadAsync(Devices.BlockDevice device, long offset)
    {
        int unit = Math.Max(4096, device.LogicalBlockSize);
        long start = offset / unit * unit;
        int shift = (int)(offset - start);
        using var buffer = new AlignedBuffer(Math.Max(unit, shift + Superblock.Size), Math.Max(4096, device.MemoryAlignment));
        long length = Math.Min(buffer.Length, (device.Length - start) / device.LogicalBlockSize * device.LogicalBlockSize);
        if (length < shift + Superblock.Size)
        {
            return null;
        }

        IoResult result = await device.ReadAsync(start, buffer.Segment.Slice(0, (int)length)).ConfigureAwait(false);
        return result.IsFailed ? null : Superblock.Read(buffer.GetSpan().Slice(shift, Superblock.Size));
    }
}

using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>The plain fields of the superblock, in the order of the format; what is computed from them is in the other part.</summary>
internal sealed partial class Superblock
{
    public uint InodeCount { get => U32(raw, 0x00); set => U32(raw, 0x00, value); } // s_inodes_count

    private uint BlockCountLow { get => U32(raw, 0x04); set => U32(raw, 0x04, value); } // s_blocks_count_lo

    private uint ReservedBlockCountLow { get => U32(raw, 0x08); set => U32(raw, 0x08, value); } // s_r_blocks_count_lo

    private uint FreeBlockCountLow { get => U32(raw, 0x0C); set => U32(raw, 0x0C, value); } // s_free_blocks_count_lo

    public uint FreeInodeCount { get => U32(raw, 0x10); set => U32(raw, 0x10, value); } // s_free_inodes_count

    public uint FirstDataBlock { get => U32(raw, 0x14); set => U32(raw, 0x14, value); } // s_first_data_block

    public uint LogBlockSize { get => U32(raw, 0x18); set => U32(raw, 0x18, value); } // s_log_block_size

    public uint LogClusterSize { get => U32(raw, 0x1C); set => U32(raw, 0x1C, value); } // s_log_cluster_size

    public uint BlocksPerGroup { get => U32(raw, 0x20); set => U32(raw, 0x20, value); } // s_blocks_per_group

    public uint ClustersPerGroup { get => U32(raw, 0x24); set => U32(raw, 0x24, value); } // s_clusters_per_group

    public uint InodesPerGroup { get => U32(raw, 0x28); set => U32(raw, 0x28, value); } // s_inodes_per_group

    public ushort MountCount { get => U16(raw, 0x34); set => U16(raw, 0x34, value); } // s_mnt_count

    public ushort MaxMountCount { get => U16(raw, 0x36); set => U16(raw, 0x36, value); } // s_max_mnt_count

    public ushort Magic { get => U16(raw, 0x38); set => U16(raw, 0x38, value); } // s_magic

    public VolumeStates State { get => (VolumeStates)U16(raw, 0x3A); set => U16(raw, 0x3A, (ushort)value); } // s_state

    public ushort ErrorPolicy { get => U16(raw, 0x3C); set => U16(raw, 0x3C, value); } // s_errors

    public ushort MinorRevision { get => U16(raw, 0x3E); set => U16(raw, 0x3E, value); } // s_minor_rev_level

    public uint CheckInterval { get => U32(raw, 0x44); set => U32(raw, 0x44, value); } // s_checkinterval

    public uint CreatorOs { get => U32(raw, 0x48); set => U32(raw, 0x48, value); } // s_creator_os

    public uint Revision { get => U32(raw, 0x4C); set => U32(raw, 0x4C, value); } // s_rev_level

    public ushort ReservedUid { get => U16(raw, 0x50); set => U16(raw, 0x50, value); } // s_def_resuid

    public ushort ReservedGid { get => U16(raw, 0x52); set => U16(raw, 0x52, value); } // s_def_resgid

    private uint FirstInodeField { get => U32(raw, 0x54); set => U32(raw, 0x54, value); } // s_first_ino

    private ushort InodeSizeField { get => U16(raw, 0x58); set => U16(raw, 0x58, value); } // s_inode_size

    public ushort BlockGroupNumber { get => U16(raw, 0x5A); set => U16(raw, 0x5A, value); } // s_block_group_nr

    private CompatFeatures CompatField { get => (CompatFeatures)U32(raw, 0x5C); set => U32(raw, 0x5C, (uint)value); } // s_feature_compat

    private IncompatFeatures IncompatField { get => (IncompatFeatures)U32(raw, 0x60); set => U32(raw, 0x60, (uint)value); } // s_feature_incompat

    private ReadOnlyCompatFeatures ReadOnlyCompatField { get => (ReadOnlyCompatFeatures)U32(raw, 0x64); set => U32(raw, 0x64, (uint)value); } // s_feature_ro_compat

    public uint AlgorithmUsageBitmap { get => U32(raw, 0xC8); set => U32(raw, 0xC8, value); } // s_algorithm_usage_bitmap

    public byte PreallocatedBlocks { get => raw[0xCC]; set => raw[0xCC] = value; } // s_prealloc_blocks

    public byte PreallocatedDirectoryBlocks { get => raw[0xCD]; set => raw[0xCD] = value; } // s_prealloc_dir_blocks

    public ushort ReservedDescriptorBlocks { get => U16(raw, 0xCE); set => U16(raw, 0xCE, value); } // s_reserved_gdt_blocks

    public uint JournalInode { get => U32(raw, 0xE0); set => U32(raw, 0xE0, value); } // s_journal_inum

    public uint JournalDevice { get => U32(raw, 0xE4); set => U32(raw, 0xE4, value); } // s_journal_dev

    public uint LastOrphan { get => U32(raw, 0xE8); set => U32(raw, 0xE8, value); } // s_last_orphan

    public DirectoryHashVersion DefaultHashVersion { get => (DirectoryHashVersion)raw[0xFC]; set => raw[0xFC] = (byte)value; } // s_def_hash_version

    public byte JournalBackupType { get => raw[0xFD]; set => raw[0xFD] = value; } // s_jnl_backup_type

    private ushort DescriptorSizeField { get => U16(raw, 0xFE); set => U16(raw, 0xFE, value); } // s_desc_size

    public uint DefaultMountOptions { get => U32(raw, 0x100); set => U32(raw, 0x100, value); } // s_default_mount_opts

    public DefaultDataMode DataMode => (DefaultDataMode)(DefaultMountOptions & (uint)DefaultDataMode.Writeback);

    public uint FirstMetaBlockGroup { get => U32(raw, 0x104); set => U32(raw, 0x104, value); } // s_first_meta_bg

    private uint BlockCountHigh { get => U32(raw, 0x150); set => U32(raw, 0x150, value); } // s_blocks_count_hi

    private uint ReservedBlockCountHigh { get => U32(raw, 0x154); set => U32(raw, 0x154, value); } // s_r_blocks_count_hi

    private uint FreeBlockCountHigh { get => U32(raw, 0x158); set => U32(raw, 0x158, value); } // s_free_blocks_count_hi

    public ushort MinExtraInodeSize { get => U16(raw, 0x15C); set => U16(raw, 0x15C, value); } // s_min_extra_isize

    public ushort WantExtraInodeSize { get => U16(raw, 0x15E); set => U16(raw, 0x15E, value); } // s_want_extra_isize

    public VolumeFlags Flags { get => (VolumeFlags)U32(raw, 0x160); set => U32(raw, 0x160, (uint)value); } // s_flags

    public ushort RaidStride { get => U16(raw, 0x164); set => U16(raw, 0x164, value); } // s_raid_stride

    public ushort MmpInterval { get => U16(raw, 0x166); set => U16(raw, 0x166, value); } // s_mmp_interval

    public ulong MmpBlock { get => U64(raw, 0x168); set => U64(raw, 0x168, value); } // s_mmp_block

    public uint RaidStripeWidth { get => U32(raw, 0x170); set => U32(raw, 0x170, value); } // s_raid_stripe_width

    public byte LogGroupsPerFlex { get => raw[0x174]; set => raw[0x174] = value; } // s_log_groups_per_flex

    public byte ChecksumType { get => raw[0x175]; set => raw[0x175] = value; } // s_checksum_type

    public byte EncryptionLevel { get => raw[0x176]; set => raw[0x176] = value; } // s_encryption_level

    public ulong KilobytesWritten { get => U64(raw, 0x178); set => U64(raw, 0x178, value); } // s_kbytes_written

    public uint SnapshotInode { get => U32(raw, 0x180); set => U32(raw, 0x180, value); } // s_snapshot_inum

    public uint SnapshotId { get => U32(raw, 0x184); set => U32(raw, 0x184, value); } // s_snapshot_id

    public ulong SnapshotReservedBlocks { get => U64(raw, 0x188); set => U64(raw, 0x188, value); } // s_snapshot_r_blocks_count

    public uint SnapshotList { get => U32(raw, 0x190); set => U32(raw, 0x190, value); } // s_snapshot_list

    public uint ErrorCount { get => U32(raw, 0x194); set => U32(raw, 0x194, value); } // s_error_count

    public uint FirstErrorInode { get => U32(raw, 0x19C); set => U32(raw, 0x19C, value); } // s_first_error_ino

    public ulong FirstErrorBlock { get => U64(raw, 0x1A0); set => U64(raw, 0x1A0, value); } // s_first_error_block

    public uint FirstErrorLine { get => U32(raw, 0x1C8); set => U32(raw, 0x1C8, value); } // s_first_error_line

    public uint LastErrorInode { get => U32(raw, 0x1D0); set => U32(raw, 0x1D0, value); } // s_last_error_ino

    public uint LastErrorLine { get => U32(raw, 0x1D4); set => U32(raw, 0x1D4, value); } // s_last_error_line

    public ulong LastErrorBlock { get => U64(raw, 0x1D8); set => U64(raw, 0x1D8, value); } // s_last_error_block

    public uint UserQuotaInode { get => U32(raw, 0x240); set => U32(raw, 0x240, value); } // s_usr_quota_inum

    public uint GroupQuotaInode { get => U32(raw, 0x244); set => U32(raw, 0x244, value); } // s_grp_quota_inum

    public uint OverheadClusters { get => U32(raw, 0x248); set => U32(raw, 0x248, value); } // s_overhead_clusters

    public uint LostAndFoundInode { get => U32(raw, 0x268); set => U32(raw, 0x268, value); } // s_lpf_ino

    public uint ProjectQuotaInode { get => U32(raw, 0x26C); set => U32(raw, 0x26C, value); } // s_prj_quota_inum

    public uint ChecksumSeedField { get => U32(raw, 0x270); set => U32(raw, 0x270, value); } // s_checksum_seed

    public byte FirstErrorCode { get => raw[0x27A]; set => raw[0x27A] = value; } // s_first_error_errcode

    public byte LastErrorCode { get => raw[0x27B]; set => raw[0x27B] = value; } // s_last_error_errcode

    public ushort Encoding { get => U16(raw, 0x27C); set => U16(raw, 0x27C, value); } // s_encoding

    public ushort EncodingFlags { get => U16(raw, 0x27E); set => U16(raw, 0x27E, value); } // s_encoding_flags

    public uint OrphanFileInode { get => U32(raw, 0x280); set => U32(raw, 0x280, value); } // s_orphan_file_inum

    private uint Checksum { get => U32(raw, 0x3FC); set => U32(raw, 0x3FC, value); } // s_checksum
}

using Penstock.Ext4.Format;
using Penstock.Files;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

public sealed class SuperblockTests
{
    /// <summary>Each field with all bits set, its offset and its size, by the format's documentation.</summary>
    private static readonly (string Name, int Offset, int Length, Action<Superblock> Set)[] Fields =
    [
        ("s_inodes_count", 0x0, 4, s => s.InodeCount = uint.MaxValue),
        ("s_blocks_count_lo", 0x4, 4, s => s.BlockCount = uint.MaxValue),
        ("s_r_blocks_count_lo", 0x8, 4, s => s.ReservedBlockCount = uint.MaxValue),
        ("s_free_blocks_count_lo", 0xC, 4, s => s.FreeBlockCount = uint.MaxValue),
        ("s_free_inodes_count", 0x10, 4, s => s.FreeInodeCount = uint.MaxValue),
        ("s_first_data_block", 0x14, 4, s => s.FirstDataBlock = uint.MaxValue),
        ("s_log_block_size", 0x18, 4, s => s.LogBlockSize = uint.MaxValue),
        ("s_log_cluster_size", 0x1C, 4, s => s.LogClusterSize = uint.MaxValue),
        ("s_blocks_per_group", 0x20, 4, s => s.BlocksPerGroup = uint.MaxValue),
        ("s_clusters_per_group", 0x24, 4, s => s.ClustersPerGroup = uint.MaxValue),
        ("s_inodes_per_group", 0x28, 4, s => s.InodesPerGroup = uint.MaxValue),
        ("s_mtime", 0x2C, 4, s => s.LastMounted = new Timestamp(uint.MaxValue)),
        ("s_wtime", 0x30, 4, s => s.LastWritten = new Timestamp(uint.MaxValue)),
        ("s_mnt_count", 0x34, 2, s => s.MountCount = ushort.MaxValue),
        ("s_max_mnt_count", 0x36, 2, s => s.MaxMountCount = ushort.MaxValue),
        ("s_magic", 0x38, 2, s => s.Magic = ushort.MaxValue),
        ("s_state", 0x3A, 2, s => s.State = (VolumeStates)ushort.MaxValue),
        ("s_errors", 0x3C, 2, s => s.ErrorPolicy = ushort.MaxValue),
        ("s_minor_rev_level", 0x3E, 2, s => s.MinorRevision = ushort.MaxValue),
        ("s_lastcheck", 0x40, 4, s => s.LastChecked = new Timestamp(uint.MaxValue)),
        ("s_checkinterval", 0x44, 4, s => s.CheckInterval = uint.MaxValue),
        ("s_creator_os", 0x48, 4, s => s.CreatorOs = uint.MaxValue),
        ("s_rev_level", 0x4C, 4, s => s.Revision = uint.MaxValue),
        ("s_def_resuid", 0x50, 2, s => s.ReservedUid = ushort.MaxValue),
        ("s_def_resgid", 0x52, 2, s => s.ReservedGid = ushort.MaxValue),
        ("s_first_ino", 0x54, 4, s => s.FirstInode = uint.MaxValue),
        ("s_inode_size", 0x58, 2, s => s.InodeSize = ushort.MaxValue),
        ("s_block_group_nr", 0x5A, 2, s => s.BlockGroupNumber = ushort.MaxValue),
        ("s_feature_compat", 0x5C, 4, s => s.Features = (CompatFeatures)uint.MaxValue),
        ("s_feature_incompat", 0x60, 4, s => s.Features = (IncompatFeatures)uint.MaxValue),
        ("s_feature_ro_compat", 0x64, 4, s => s.Features = (ReadOnlyCompatFeatures)uint.MaxValue),
        ("s_uuid", 0x68, 16, s => s.Uuid = Guid.AllBitsSet),
        ("s_algorithm_usage_bitmap", 0xC8, 4, s => s.AlgorithmUsageBitmap = uint.MaxValue),
        ("s_prealloc_blocks", 0xCC, 1, s => s.PreallocatedBlocks = byte.MaxValue),
        ("s_prealloc_dir_blocks", 0xCD, 1, s => s.PreallocatedDirectoryBlocks = byte.MaxValue),
        ("s_reserved_gdt_blocks", 0xCE, 2, s => s.ReservedDescriptorBlocks = ushort.MaxValue),
        ("s_journal_uuid", 0xD0, 16, s => s.JournalUuid = Guid.AllBitsSet),
        ("s_journal_inum", 0xE0, 4, s => s.JournalInode = uint.MaxValue),
        ("s_journal_dev", 0xE4, 4, s => s.JournalDevice = uint.MaxValue),
        ("s_last_orphan", 0xE8, 4, s => s.LastOrphan = uint.MaxValue),
        ("s_hash_seed", 0xEC, 16, s => s.HashSeed = Guid.AllBitsSet),
        ("s_def_hash_version", 0xFC, 1, s => s.DefaultHashVersion = (DirectoryHashVersion)byte.MaxValue),
        ("s_jnl_backup_type", 0xFD, 1, s => s.JournalBackupType = byte.MaxValue),
        ("s_desc_size", 0xFE, 2, s => s.DescriptorSize = ushort.MaxValue),
        ("s_default_mount_opts", 0x100, 4, s => s.DefaultMountOptions = uint.MaxValue),
        ("s_first_meta_bg", 0x104, 4, s => s.FirstMetaBlockGroup = uint.MaxValue),
        ("s_mkfs_time", 0x108, 4, s => s.Created = new Timestamp(uint.MaxValue)),
        ("s_jnl_blocks", 0x10C, 68, s => s.JournalBackup.Fill(0xFF)),
        ("s_blocks_count_hi", 0x150, 4, s => s.BlockCount = (ulong)uint.MaxValue << 32),
        ("s_r_blocks_count_hi", 0x154, 4, s => s.ReservedBlockCount = (ulong)uint.MaxValue << 32),
        ("s_free_blocks_count_hi", 0x158, 4, s => s.FreeBlockCount = (ulong)uint.MaxValue << 32),
        ("s_min_extra_isize", 0x15C, 2, s => s.MinExtraInodeSize = ushort.MaxValue),
        ("s_want_extra_isize", 0x15E, 2, s => s.WantExtraInodeSize = ushort.MaxValue),
        ("s_flags", 0x160, 4, s => s.Flags = (VolumeFlags)uint.MaxValue),
        ("s_raid_stride", 0x164, 2, s => s.RaidStride = ushort.MaxValue),
        ("s_mmp_interval", 0x166, 2, s => s.MmpInterval = ushort.MaxValue),
        ("s_mmp_block", 0x168, 8, s => s.MmpBlock = ulong.MaxValue),
        ("s_raid_stripe_width", 0x170, 4, s => s.RaidStripeWidth = uint.MaxValue),
        ("s_log_groups_per_flex", 0x174, 1, s => s.LogGroupsPerFlex = byte.MaxValue),
        ("s_checksum_type", 0x175, 1, s => s.ChecksumType = byte.MaxValue),
        ("s_encryption_level", 0x176, 1, s => s.EncryptionLevel = byte.MaxValue),
        ("s_kbytes_written", 0x178, 8, s => s.KilobytesWritten = ulong.MaxValue),
        ("s_snapshot_inum", 0x180, 4, s => s.SnapshotInode = uint.MaxValue),
        ("s_snapshot_id", 0x184, 4, s => s.SnapshotId = uint.MaxValue),
        ("s_snapshot_r_blocks_count", 0x188, 8, s => s.SnapshotReservedBlocks = ulong.MaxValue),
        ("s_snapshot_list", 0x190, 4, s => s.SnapshotList = uint.MaxValue),
        ("s_error_count", 0x194, 4, s => s.ErrorCount = uint.MaxValue),
        ("s_first_error_time", 0x198, 4, s => s.FirstErrorTime = new Timestamp(uint.MaxValue)),
        ("s_first_error_ino", 0x19C, 4, s => s.FirstErrorInode = uint.MaxValue),
        ("s_first_error_block", 0x1A0, 8, s => s.FirstErrorBlock = ulong.MaxValue),
        ("s_first_error_line", 0x1C8, 4, s => s.FirstErrorLine = uint.MaxValue),
        ("s_last_error_time", 0x1CC, 4, s => s.LastErrorTime = new Timestamp(uint.MaxValue)),
        ("s_last_error_ino", 0x1D0, 4, s => s.LastErrorInode = uint.MaxValue),
        ("s_last_error_line", 0x1D4, 4, s => s.LastErrorLine = uint.MaxValue),
        ("s_last_error_block", 0x1D8, 8, s => s.LastErrorBlock = ulong.MaxValue),
        ("s_usr_quota_inum", 0x240, 4, s => s.UserQuotaInode = uint.MaxValue),
        ("s_grp_quota_inum", 0x244, 4, s => s.GroupQuotaInode = uint.MaxValue),
        ("s_overhead_clusters", 0x248, 4, s => s.OverheadClusters = uint.MaxValue),
        ("s_backup_bgs[0]", 0x24C, 4, s => s.BackupGroups = (uint.MaxValue, 0)),
        ("s_backup_bgs[1]", 0x250, 4, s => s.BackupGroups = (0, uint.MaxValue)),
        ("s_encrypt_algos", 0x254, 4, s => s.EncryptionAlgorithms.Fill(0xFF)),
        ("s_encrypt_pw_salt", 0x258, 16, s => s.EncryptionPasswordSalt.Fill(0xFF)),
        ("s_lpf_ino", 0x268, 4, s => s.LostAndFoundInode = uint.MaxValue),
        ("s_prj_quota_inum", 0x26C, 4, s => s.ProjectQuotaInode = uint.MaxValue),
        ("s_checksum_seed", 0x270, 4, s => s.ChecksumSeedField = uint.MaxValue),
        ("s_wtime_hi", 0x274, 1, s => s.LastWritten = new Timestamp(0xFFL << 32)),
        ("s_mtime_hi", 0x275, 1, s => s.LastMounted = new Timestamp(0xFFL << 32)),
        ("s_mkfs_time_hi", 0x276, 1, s => s.Created = new Timestamp(0xFFL << 32)),
        ("s_lastcheck_hi", 0x277, 1, s => s.LastChecked = new Timestamp(0xFFL << 32)),
        ("s_first_error_time_hi", 0x278, 1, s => s.FirstErrorTime = new Timestamp(0xFFL << 32)),
        ("s_last_error_time_hi", 0x279, 1, s => s.LastErrorTime = new Timestamp(0xFFL << 32)),
        ("s_first_error_errcode", 0x27A, 1, s => s.FirstErrorCode = byte.MaxValue),
        ("s_last_error_errcode", 0x27B, 1, s => s.LastErrorCode = byte.MaxValue),
        ("s_encoding", 0x27C, 2, s => s.Encoding = ushort.MaxValue),
        ("s_encoding_flags", 0x27E, 2, s => s.EncodingFlags = ushort.MaxValue),
        ("s_orphan_file_inum", 0x280, 4, s => s.OrphanFileInode = uint.MaxValue),
    ];

    public static TheoryData<string> FieldNames => new(Fields.Select(f => f.Name));

    [Theory]
    [MemberData(nameof(FieldNames))]
    public void A_field_lies_where_the_format_says(string name)
    {
        (_, int offset, int length, Action<Superblock> set) = Fields.Single(f => f.Name == name);
        FieldLayout.AssertOnly(Superblock.Size, offset, length, raw =>
        {
            // The magic number and the revision are there already: they must not hide a change.
            Superblock changed = Superblock.Create();
            changed.Magic = 0;
            changed.Revision = 0;
            set(changed);
            Copy(changed, raw);
        });
    }

    [Fact]
    public void Texts_lie_where_the_format_says()
    {
        Superblock superblock = Superblock.Create();
        superblock.VolumeName = "sixteen-bytes-ok";
        superblock.LastMountedOn = "/mnt";
        superblock.FirstErrorFunction = "first";
        superblock.LastErrorFunction = "last";
        superblock.MountOptions = "opts";
        byte[] raw = Bytes(superblock);
        Assert.Equal("sixteen-bytes-ok"u8, raw.AsSpan(0x78, 16));
        Assert.Equal("/mnt\0"u8, raw.AsSpan(0x88, 5));
        Assert.Equal("first\0"u8, raw.AsSpan(0x1A8, 6));
        Assert.Equal("last\0"u8, raw.AsSpan(0x1E0, 5));
        Assert.Equal("opts\0"u8, raw.AsSpan(0x200, 5));
        Assert.Equal("sixteen-bytes-ok", superblock.VolumeName);
        Assert.Throws<ArgumentOutOfRangeException>(() => superblock.VolumeName = "seventeen-bytes-x");
    }

    [Fact]
    public void The_uuid_is_stored_in_the_order_it_is_printed()
    {
        Superblock superblock = Superblock.Create();
        superblock.Uuid = Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10");
        Assert.Equal(Enumerable.Range(1, 16).Select(i => (byte)i), Bytes(superblock)[0x68..0x78]);
    }

    [Fact]
    public void A_sound_superblock_is_read_back()
    {
        Superblock superblock = SampleVolume.MakeSuperblock();
        Superblock read = Superblock.Parse(Bytes(superblock));
        Assert.Equal(superblock.BlockCount, read.BlockCount);
        Assert.True(read.IsChecksumRight);
    }

    public static TheoryData<string, string> Damages => new()
    {
        { "s_magic", "magic" }, { "s_rev_level", "revision" }, { "s_checksum", "checksum" }, { "s_checksum_type", "type" },
        { "s_log_block_size", "block" }, { "s_log_cluster_size", "cluster" }, { "s_first_data_block", "first" },
        { "s_blocks_count", "no blocks" }, { "s_blocks_count", "too many blocks" }, { "s_r_blocks_count", "reserved" },
        { "s_blocks_per_group", "per group 0" }, { "s_blocks_per_group", "per group odd" }, { "s_blocks_per_group", "per group big" },
        { "s_inodes_per_group", "inodes 0" }, { "s_inodes_per_group", "inodes big" }, { "s_inodes_count", "inode count" },
        { "s_inode_size", "inode size 0" }, { "s_inode_size", "inode size odd" }, { "s_inode_size", "inode size big" },
        { "s_first_ino", "first inode" }, { "s_desc_size", "descriptor" }, { "s_reserved_gdt_blocks", "gdt" },
        { "s_first_meta_bg", "meta" }, { "s_log_groups_per_flex", "flex" }, { "s_want_extra_isize", "extra" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Damage_is_named(string field, string damage)
    {
        Superblock superblock = SampleVolume.MakeSuperblock();
        Damage(superblock, damage);
        byte[] raw = Bytes(superblock);
        if (damage == "checksum")
        {
            raw[0x78] ^= 1;
        }

        var thrown = Assert.Throws<CorruptVolumeException>(() => Superblock.Parse(raw));
        Assert.Equal("superblock", thrown.Structure);
        Assert.Equal(field, thrown.Field);
    }

    [Fact]
    public void A_truncated_device_is_named()
    {
        Superblock superblock = SampleVolume.MakeSuperblock();
        long length = (long)superblock.BlockCount * superblock.BlockSize;
        SuperblockValidation.CheckAgainstDevice(superblock, length);
        var thrown = Assert.Throws<CorruptVolumeException>(() => SuperblockValidation.CheckAgainstDevice(superblock, length - 1));
        Assert.Equal("s_blocks_count", thrown.Field);
    }

    [Fact]
    public void Noise_never_throws_anything_else()
    {
        var random = new Random(20240611);
        byte[] sound = Bytes(SampleVolume.MakeSuperblock());
        for (int round = 0; round < 20_000; round++)
        {
            byte[] raw = (byte[])sound.Clone();
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                raw[random.Next(0x180)] = (byte)random.Next(256);
            }

            // Half of them with the checksum made right again, so that the damage itself is reached.
            if (round % 2 == 0)
            {
                uint crc = Crc32C.Append(Crc32C.Start, raw.AsSpan(0, 0x3FC));
                System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(raw.AsSpan(0x3FC), crc);
            }

            try
            {
                var geometry = new VolumeGeometry(Superblock.Parse(raw));
                Assert.True(geometry.GroupCount > 0);
                Assert.True(geometry.BlocksIn(new BlockGroup(geometry.GroupCount - 1)) > 0);
            }
            catch (CorruptVolumeException)
            {
            }
        }
    }

    private static void Damage(Superblock s, string damage)
    {
        Action change = damage switch
        {
            "magic" => () => s.Magic = 0xEF54,
            "revision" => () => s.Revision = 2,
            "checksum" => () => { },
            "type" => () => s.ChecksumType = 2,
            "block" => () => s.LogBlockSize = 7,
            "cluster" => () => s.LogClusterSize = 3,
            "first" => () => s.FirstDataBlock = 1,
            "no blocks" => () => s.BlockCount = 0,
            "too many blocks" => () => s.BlockCount = ulong.MaxValue,
            "reserved" => () => s.ReservedBlockCount = s.BlockCount + 1,
            "per group 0" => () => s.BlocksPerGroup = 0,
            "per group odd" => () => s.BlocksPerGroup = 32767,
            "per group big" => () => s.BlocksPerGroup = 32776,
            "inodes 0" => () => s.InodesPerGroup = 0,
            "inodes big" => () => s.InodesPerGroup = 32776,
            "inode count" => () => s.InodeCount++,
            "inode size 0" => () => s.InodeSize = 0,
            "inode size odd" => () => s.InodeSize = 192,
            "inode size big" => () => s.InodeSize = 8192,
            "first inode" => () => s.FirstInode = 10,
            "descriptor" => () => s.DescriptorSize = 32,
            "gdt" => () => s.ReservedDescriptorBlocks = 1025,
            "meta" => () => { s.Features = s.Features.With(IncompatFeatures.MetaBg); s.FirstMetaBlockGroup = 2; },
            "flex" => () => s.LogGroupsPerFlex = 32,
            "extra" => () => s.WantExtraInodeSize = 132,
            _ => throw new ArgumentOutOfRangeException(nameof(damage), damage, "unknown"),
        };
        change();
    }

    private static byte[] Bytes(Superblock superblock)
    {
        byte[] raw = new byte[Superblock.Size];
        superblock.WriteTo(raw);
        return raw;
    }

    // A feature word of all ones turns checksums on: the checksum is not the field under test.
    private static void Copy(Superblock superblock, byte[] raw)
    {
        superblock.WriteTo(raw);
        raw.AsSpan(0x3FC).Clear();
    }
}

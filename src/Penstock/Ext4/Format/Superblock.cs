using Penstock.Files;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// The superblock (ext4_super_block): 1024 bytes at offset 1024 of the volume, and at the start of the groups that hold a backup.
/// It keeps its own copy of the bytes, so that fields this version does not know survive a rewrite.
/// See https://docs.kernel.org/filesystems/ext4/super.html.
/// </summary>
internal sealed partial class Superblock
{
    public const int Size = 1024;

    /// <summary>Where the primary superblock starts on the volume, whatever the block size.</summary>
    public const int VolumeOffset = 1024;

    public const ushort ExpectedMagic = 0xEF53;
    public const uint DynamicRevision = 1;
    public const byte Crc32CChecksumType = 1;
    public const int MinBlockSize = 1024;
    public const int MaxBlockSize = 65536;

    private const int ChecksumOffset = 0x3FC;
    private const int FirstRegularInodeOfRevision0 = 11;
    private const int InodeSizeOfRevision0 = 128;

    private readonly byte[] raw;

    private Superblock(byte[] raw) => this.raw = raw;

    /// <summary>An empty superblock with the magic number and the dynamic revision: the start of a new volume.</summary>
    public static Superblock Create()
    {
        var made = new Superblock(new byte[Size]) { Magic = ExpectedMagic, Revision = DynamicRevision };
        return made;
    }

    /// <summary>Reads a superblock and checks its magic number, its checksum and every field that others compute with.</summary>
    /// <exception cref="CorruptVolumeException">A field is out of its range, or the checksum does not match.</exception>
    public static Superblock Parse(ReadOnlySpan<byte> bytes, string location = "offset 1024")
    {
        var parsed = new Superblock(bytes[..Size].ToArray());
        SuperblockValidation.Check(parsed, location);
        return parsed;
    }

    /// <summary>Copies the bytes without judging them: for a volume that is being checked.</summary>
    public static Superblock Read(ReadOnlySpan<byte> bytes) => new(bytes[..Size].ToArray());

    /// <summary>The bytes themselves.</summary>
    public Span<byte> Bytes => raw;

    /// <summary>Whether <paramref name="bytes"/> carry the magic number of ext2/3/4; says nothing about whether the rest is sound.</summary>
    public static bool IsRecognised(ReadOnlySpan<byte> bytes) => bytes.Length >= Size && U16(bytes, 0x38) == ExpectedMagic;

    public Superblock Clone() => new((byte[])raw.Clone());

    /// <summary>Puts the checksum right, if the volume has checksums, and copies the 1024 bytes out.</summary>
    public void WriteTo(Span<byte> destination)
    {
        if (HasMetadataChecksums)
        {
            Checksum = ComputeChecksum();
        }

        raw.CopyTo(destination);
    }

    /// <summary>
    /// Whether the volume's own times are later than its number of inodes, in seconds since 1970: an i_dtime below that is the number of an inode then.
    /// </summary>
    public bool HasLateTimes => IsLate(U32(raw, 0x2C)) && IsLate(U32(raw, 0x30)) && IsLate(U32(raw, 0x108)); // s_mtime, s_wtime, s_mkfs_time

    private bool IsLate(uint time) => time == 0 || time >= InodeCount;

    public bool HasMetadataChecksums => Has(ReadOnlyCompatFeatures.MetadataCsum);

    public bool IsChecksumRight => !HasMetadataChecksums || Checksum == ComputeChecksum();

    public uint StoredChecksum => Checksum;

    public uint ComputeChecksum() => Crc32C.Append(Crc32C.Start, raw.AsSpan(0, ChecksumOffset));

    /// <summary>The seed of every other checksum: s_checksum_seed where the feature says so, otherwise the checksum of the UUID.</summary>
    public uint ChecksumSeed => Has(IncompatFeatures.MetadataCsumSeed) ? ChecksumSeedField : Crc32C.Append(Crc32C.Start, raw.AsSpan(0x68, 16));

    public FeatureSet Features
    {
        // Revision 0 had no feature words: whatever is there means nothing.
        get => Revision < DynamicRevision ? default : new(CompatField, IncompatField, ReadOnlyCompatField);
        set => (CompatField, IncompatField, ReadOnlyCompatField) = (value.Compat, value.Incompat, value.ReadOnlyCompat);
    }

    /// <summary>Gives a volume of revision 0 the fields of revision 1, which features need, with the values that revision 0 stands for.</summary>
    public void MakeDynamic()
    {
        if (Revision >= DynamicRevision)
        {
            return;
        }

        (FirstInodeField, InodeSizeField, Revision) = (FirstRegularInodeOfRevision0, InodeSizeOfRevision0, DynamicRevision);
        Features = default;
    }

    public bool Has(CompatFeatures feature) => Features.Has(feature);

    public bool Has(IncompatFeatures feature) => Features.Has(feature);

    public bool Has(ReadOnlyCompatFeatures feature) => Features.Has(feature);

    public bool Is64Bit => Has(IncompatFeatures.Is64Bit);

    /// <summary>s_blocks_count.</summary>
    public ulong BlockCount
    {
        get => Join(BlockCountLow, BlockCountHigh);
        set => (BlockCountLow, BlockCountHigh) = Split(value);
    }

    /// <summary>s_r_blocks_count: blocks only a privileged user may take.</summary>
    public ulong ReservedBlockCount
    {
        get => Join(ReservedBlockCountLow, ReservedBlockCountHigh);
        set => (ReservedBlockCountLow, ReservedBlockCountHigh) = Split(value);
    }

    /// <summary>s_free_blocks_count, in blocks with bigalloc too; a hint, since the group descriptors tell the truth.</summary>
    public ulong FreeBlockCount
    {
        get => Join(FreeBlockCountLow, FreeBlockCountHigh);
        set => (FreeBlockCountLow, FreeBlockCountHigh) = Split(value);
    }

    public int BlockSize => MinBlockSize << (int)LogBlockSize;

    /// <summary>Bytes of an allocation unit; the block size without bigalloc.</summary>
    public int ClusterSize => Has(ReadOnlyCompatFeatures.BigAlloc) ? MinBlockSize << (int)LogClusterSize : BlockSize;

    /// <summary>s_first_ino: the first inode that is not reserved.</summary>
    public uint FirstInode
    {
        get => Revision < DynamicRevision ? FirstRegularInodeOfRevision0 : FirstInodeField;
        set => FirstInodeField = value;
    }

    /// <summary>s_inode_size.</summary>
    public int InodeSize
    {
        get => Revision < DynamicRevision ? InodeSizeOfRevision0 : InodeSizeField;
        set => InodeSizeField = checked((ushort)value);
    }

    /// <summary>s_desc_size, which counts only with 64bit.</summary>
    public int DescriptorSize
    {
        get => Is64Bit ? DescriptorSizeField : GroupDescriptor.SmallSize;
        set => DescriptorSizeField = checked((ushort)value);
    }

    /// <summary>s_uuid.</summary>
    public Guid Uuid
    {
        get => new(raw.AsSpan(0x68, 16), bigEndian: true);
        set => value.TryWriteBytes(raw.AsSpan(0x68, 16), bigEndian: true, out _);
    }

    /// <summary>s_volume_name, up to 16 bytes.</summary>
    public string VolumeName
    {
        get => Text(0x78, 16);
        set => Text(0x78, 16, value);
    }

    /// <summary>s_last_mounted: the directory it was mounted on last.</summary>
    public string LastMountedOn
    {
        get => Text(0x88, 64);
        set => Text(0x88, 64, value);
    }

    /// <summary>s_journal_uuid: the external journal.</summary>
    public Guid JournalUuid
    {
        get => new(raw.AsSpan(0xD0, 16), bigEndian: true);
        set => value.TryWriteBytes(raw.AsSpan(0xD0, 16), bigEndian: true, out _);
    }

    /// <summary>s_hash_seed as the UUID that tools print.</summary>
    public Guid HashSeed
    {
        get => new(raw.AsSpan(0xEC, 16), bigEndian: true);
        set => value.TryWriteBytes(raw.AsSpan(0xEC, 16), bigEndian: true, out _);
    }

    /// <summary>s_jnl_blocks: the journal inode's i_block (15 words), then i_size_high and i_size.</summary>
    public Span<byte> JournalBackup => raw.AsSpan(0x10C, 68);

    /// <summary>s_first_error_func.</summary>
    public string FirstErrorFunction
    {
        get => Text(0x1A8, 32);
        set => Text(0x1A8, 32, value);
    }

    /// <summary>s_last_error_func.</summary>
    public string LastErrorFunction
    {
        get => Text(0x1E0, 32);
        set => Text(0x1E0, 32, value);
    }

    /// <summary>s_mount_opts.</summary>
    public string MountOptions
    {
        get => Text(0x200, 64);
        set => Text(0x200, 64, value);
    }

    /// <summary>s_backup_bgs: the two groups with backups under sparse_super2; 0 is none.</summary>
    public (uint First, uint Second) BackupGroups
    {
        get => (U32(raw, 0x24C), U32(raw, 0x250));
        set
        {
            U32(raw, 0x24C, value.First);
            U32(raw, 0x250, value.Second);
        }
    }

    /// <summary>s_encrypt_algos.</summary>
    public Span<byte> EncryptionAlgorithms => raw.AsSpan(0x254, 4);

    /// <summary>s_encrypt_pw_salt.</summary>
    public Span<byte> EncryptionPasswordSalt => raw.AsSpan(0x258, 16);

    /// <summary>s_mtime: last mounted.</summary>
    public Timestamp LastMounted
    {
        get => Time(0x2C, 0x275);
        set => Time(0x2C, 0x275, value);
    }

    /// <summary>s_wtime: last written.</summary>
    public Timestamp LastWritten
    {
        get => Time(0x30, 0x274);
        set => Time(0x30, 0x274, value);
    }

    /// <summary>s_lastcheck.</summary>
    public Timestamp LastChecked
    {
        get => Time(0x40, 0x277);
        set => Time(0x40, 0x277, value);
    }

    /// <summary>s_mkfs_time.</summary>
    public Timestamp Created
    {
        get => Time(0x108, 0x276);
        set => Time(0x108, 0x276, value);
    }

    /// <summary>s_first_error_time.</summary>
    public Timestamp FirstErrorTime
    {
        get => Time(0x198, 0x278);
        set => Time(0x198, 0x278, value);
    }

    /// <summary>s_last_error_time.</summary>
    public Timestamp LastErrorTime
    {
        get => Time(0x1CC, 0x279);
        set => Time(0x1CC, 0x279, value);
    }

    // Without 64bit the high words may hold anything an old tool left there.
    private ulong Join(uint low, uint high) => Is64Bit ? ((ulong)high << 32) | low : low;

    private static (uint Low, uint High) Split(ulong value) => ((uint)value, (uint)(value >> 32));

    private Timestamp Time(int low, int high) => new(((long)raw[high] << 32) | U32(raw, low));

    private void Time(int low, int high, Timestamp value)
    {
        long seconds = Math.Clamp(value.Seconds, 0, (1L << 40) - 1);
        U32(raw, low, (uint)seconds);
        raw[high] = (byte)(seconds >> 32);
    }

    private string Text(int offset, int length)
    {
        Span<byte> field = raw.AsSpan(offset, length);
        int end = field.IndexOf((byte)0);
        return System.Text.Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    private void Text(int offset, int length, string value)
    {
        Span<byte> field = raw.AsSpan(offset, length);
        field.Clear();
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(value);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, length, nameof(value));
        bytes.CopyTo(field);
    }
}

using System.Runtime.CompilerServices;
using Penstock.Files;
using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// An inode (ext4_inode): 128 bytes, and with larger inodes i_extra_isize more and then attributes. It keeps its own copy of the bytes, so
/// that fields this version does not know survive a rewrite. See https://docs.kernel.org/filesystems/ext4/inodes.html.
/// </summary>
internal sealed class InodeRecord
{
    /// <summary>The inode size of revision 0, and the part of every inode before i_extra_isize.</summary>
    public const int MinSize = 128;

    /// <summary>Bytes of i_block: block map, extent tree root, short symlink or inline contents.</summary>
    public const int BlockFieldSize = 60;

    private const int BlockFieldOffset = 0x28;
    private const int ExtraSizeOffset = 0x80;
    private const int ChecksumLowOffset = 0x7C;
    private const int ChecksumHighOffset = 0x82;
    private const int SectorSize = 512;
    private const int LogSectorSize = 9;
    private const ushort KindMask = 0xF000;

    private readonly byte[] raw;

    private InodeRecord(byte[] raw) => this.raw = raw;

    /// <summary>A zeroed inode of <paramref name="inodeSize"/> bytes with room for <paramref name="extraSize"/> of the extra fields.</summary>
    public static InodeRecord Create(int inodeSize, int extraSize = 32)
    {
        var made = new InodeRecord(new byte[inodeSize]);
        if (inodeSize > MinSize)
        {
            U16(made.raw, ExtraSizeOffset, (ushort)Math.Min(extraSize, inodeSize - MinSize));
        }

        return made;
    }

    /// <summary>Copies the bytes without judging them: for an inode that is free, or about to be repaired or overwritten.</summary>
    /// <param name="bytes">The whole inode, s_inode_size bytes.</param>
    public static InodeRecord Read(ReadOnlySpan<byte> bytes) => new(bytes.ToArray());

    /// <summary>i_mode of an inode that is not copied first.</summary>
    public static ushort ModeIn(ReadOnlySpan<byte> bytes) => U16(bytes, 0x00);

    /// <summary>i_links_count of an inode that is not copied first.</summary>
    public static ushort LinkCountIn(ReadOnlySpan<byte> bytes) => U16(bytes, 0x1A);

    /// <summary>Copies an inode in use, and checks its checksum and the fields that others compute with.</summary>
    /// <exception cref="CorruptVolumeException">It is damaged.</exception>
    public static InodeRecord Parse(ReadOnlySpan<byte> bytes, InodeNumber number, VolumeGeometry geometry, in MetadataChecksum checksum)
    {
        InodeRecord parsed = Read(bytes);
        if (checksum.IsUsed)
        {
            uint expected = parsed.ComputeChecksum(number, checksum);
            Require(parsed.StoredChecksum == expected, number, "checksum", $"0x{parsed.StoredChecksum:x}, computed 0x{expected:x}");
        }

        int extra = parsed.ExtraSize;
        Require(extra % 4 == 0 && extra <= bytes.Length - MinSize, number, "i_extra_isize", $"{extra} in an inode of {bytes.Length} bytes");
        Require(parsed.Size <= long.MaxValue, number, "i_size", $"{parsed.Size}");
        VolumeBlock attributes = parsed.AttributeBlock;
        Require(attributes.Value == 0 || geometry.Contains(attributes), number, "i_file_acl", $"{attributes.Value}");
        return parsed;
    }

    public int InodeSize => raw.Length;

    /// <summary>The bytes themselves.</summary>
    public Span<byte> Bytes => raw;

    /// <summary>Takes another inode's bytes without judging them; allocates nothing.</summary>
    public void Load(ReadOnlySpan<byte> bytes) => bytes.CopyTo(raw);

    public InodeRecord Clone() => new((byte[])raw.Clone());

    /// <summary>Replaces this inode's contents with another's of the same size; allocates nothing.</summary>
    public void CopyFrom(InodeRecord other) => other.raw.CopyTo(raw, 0);

    /// <summary>Puts the checksum right and copies the bytes out.</summary>
    public void WriteTo(Span<byte> destination, InodeNumber number, in MetadataChecksum checksum)
    {
        if (checksum.IsUsed)
        {
            uint computed = ComputeChecksum(number, checksum);
            U16(raw, ChecksumLowOffset, (ushort)computed); // l_i_checksum_lo
            if (HasChecksumHigh)
            {
                U16(raw, ChecksumHighOffset, (ushort)(computed >> 16)); // i_checksum_hi
            }
        }

        raw.CopyTo(destination);
    }

    /// <summary>i_mode.</summary>
    public ushort Mode
    {
        get => U16(raw, 0x00);
        set => U16(raw, 0x00, value);
    }

    public InodeKind Kind => (InodeKind)(Mode & KindMask);

    public bool IsDirectory => Kind == InodeKind.Directory;

    public bool IsRegular => Kind == InodeKind.Regular;

    public bool IsSymbolicLink => Kind == InodeKind.SymbolicLink;

    /// <summary>i_uid and l_i_uid_high.</summary>
    public uint Uid
    {
        get => U16(raw, 0x02) | ((uint)U16(raw, 0x78) << 16);
        set
        {
            U16(raw, 0x02, (ushort)value);
            U16(raw, 0x78, (ushort)(value >> 16));
        }
    }

    /// <summary>i_gid and l_i_gid_high.</summary>
    public uint Gid
    {
        get => U16(raw, 0x18) | ((uint)U16(raw, 0x7A) << 16);
        set
        {
            U16(raw, 0x18, (ushort)value);
            U16(raw, 0x7A, (ushort)(value >> 16));
        }
    }

    /// <summary>i_size_lo and i_size_high, in bytes. A volume without large_file uses the high word of directories for something else.</summary>
    public ulong Size
    {
        get => U32(raw, 0x04) | ((ulong)U32(raw, 0x6C) << 32);
        set
        {
            U32(raw, 0x04, (uint)value);
            U32(raw, 0x6C, (uint)(value >> 32));
        }
    }

    /// <summary>i_dtime: when it was deleted; while it is an orphan, the next inode of that list.</summary>
    public uint DeletionTime
    {
        get => U32(raw, 0x14);
        set => U32(raw, 0x14, value);
    }

    /// <summary>i_links_count; 1 stands for "too many to count" in a directory of a dir_nlink volume.</summary>
    public ushort LinkCount
    {
        get => U16(raw, 0x1A);
        set => U16(raw, 0x1A, value);
    }

    /// <summary>i_flags.</summary>
    public InodeFlags Flags
    {
        get => (InodeFlags)U32(raw, 0x20);
        set => U32(raw, 0x20, (uint)value);
    }

    public bool Is(InodeFlags flag) => (Flags & flag) != 0;

    /// <summary>l_i_version and i_version_hi: raised with each change.</summary>
    public ulong Version
    {
        get => U32(raw, 0x24) | ((ulong)Extra(0x98) << 32);
        set
        {
            U32(raw, 0x24, (uint)value);
            Extra(0x98, (uint)(value >> 32));
        }
    }

    /// <summary>i_block: its meaning follows from the kind and the flags.</summary>
    public Span<byte> BlockField => raw.AsSpan(BlockFieldOffset, BlockFieldSize);

    /// <summary>i_generation.</summary>
    public uint Generation
    {
        get => U32(raw, 0x64);
        set => U32(raw, 0x64, value);
    }

    /// <summary>i_file_acl_lo and l_i_file_acl_high: the block of attributes; 0 is none.</summary>
    public VolumeBlock AttributeBlock
    {
        get => new(U32(raw, 0x68) | ((ulong)U16(raw, 0x76) << 32));
        set
        {
            U32(raw, 0x68, (uint)value.Value);
            U16(raw, 0x76, checked((ushort)(value.Value >> 32)));
        }
    }

    /// <summary>i_extra_isize: bytes of fields after the first 128; 0 in an inode of 128.</summary>
    public int ExtraSize
    {
        get => raw.Length > MinSize ? U16(raw, ExtraSizeOffset) : 0;
        set => U16(raw, ExtraSizeOffset, checked((ushort)value));
    }

    /// <summary>Whether there is room for i_projid.</summary>
    public bool HasProject => HasExtra(0x9C);

    /// <summary>i_projid; 0 where the inode has no room for it.</summary>
    public uint ProjectId
    {
        get => Extra(0x9C);
        set => Extra(0x9C, value);
    }

    /// <summary>i_atime and i_atime_extra.</summary>
    public Timestamp Accessed
    {
        get => Time(0x08, 0x8C);
        set => Time(0x08, 0x8C, value);
    }

    /// <summary>i_ctime and i_ctime_extra.</summary>
    public Timestamp Changed
    {
        get => Time(0x0C, 0x84);
        set => Time(0x0C, 0x84, value);
    }

    /// <summary>i_mtime and i_mtime_extra.</summary>
    public Timestamp Modified
    {
        get => Time(0x10, 0x88);
        set => Time(0x10, 0x88, value);
    }

    /// <summary>i_crtime and i_crtime_extra: birth; absent where the inode has no room for it.</summary>
    public Timestamp? Born
    {
        get => HasExtra(0x94) ? Time(0x90, 0x94) : null;
        set
        {
            if (HasExtra(0x94) && value is { } time)
            {
                Time(0x90, 0x94, time);
            }
        }
    }

    /// <summary>Whether times keep nanoseconds and the years after 2038.</summary>
    public bool HasFineTimes => HasExtra(0x8C);

    /// <summary>The nearest time that this inode can record.</summary>
    public Timestamp Clamp(Timestamp time) => HasFineTimes ? InodeTime.Clamp(time) : InodeTime.ClampToSeconds(time);

    /// <summary>The bytes after the extra fields: where attributes in the inode lie.</summary>
    public Span<byte> AttributeArea => raw.Length > MinSize ? raw.AsSpan(MinSize + ExtraSize) : default;

    /// <summary>i_blocks_lo and l_i_blocks_high as bytes of storage, data and metadata, in the unit that huge_file chose.</summary>
    public ulong GetAllocatedBytes(int blockSize)
    {
        ulong count = U32(raw, 0x1C) | ((ulong)U16(raw, 0x74) << 32);
        return Is(InodeFlags.HugeFile) ? count * (uint)blockSize : count << LogSectorSize;
    }

    /// <summary>Records the storage; it becomes a count of blocks only where a count of sectors does not fit 48 bits.</summary>
    /// <param name="bytes">A multiple of 512, and of the block size where it does not fit.</param>
    /// <param name="blockSize">Bytes of a block.</param>
    /// <param name="hasHugeFile">Whether the volume has huge_file; without it 32 bits must do.</param>
    /// <returns>False if the volume's format cannot record so much; nothing is changed then.</returns>
    public bool TrySetAllocatedBytes(ulong bytes, int blockSize, bool hasHugeFile)
    {
        ulong sectors = bytes / SectorSize;
        bool isHuge = sectors >> 48 != 0;
        if (!hasHugeFile && sectors > uint.MaxValue)
        {
            return false;
        }

        ulong count = isHuge ? bytes / (uint)blockSize : sectors;
        U32(raw, 0x1C, (uint)count);
        U16(raw, 0x74, (ushort)(count >> 32));
        Flags = isHuge ? Flags | InodeFlags.HugeFile : Flags & ~InodeFlags.HugeFile;
        return true;
    }

    /// <summary>The device number of a character or block device, from i_block[0] (old, 8:8) or i_block[1] (new, 12:20).</summary>
    public (uint Major, uint Minor) Device
    {
        get
        {
            uint old = U32(BlockField, 0);
            uint wide = U32(BlockField, 4);
            return old != 0 ? ((old >> 8) & 0xFF, old & 0xFF) : ((wide >> 8) & 0xFFF, (wide & 0xFF) | ((wide >> 12) & 0xFFF00));
        }

        set
        {
            bool isOld = value.Major < 256 && value.Minor < 256;
            BlockField.Clear();
            U32(BlockField, 0, isOld ? (value.Major << 8) | value.Minor : 0);
            U32(BlockField, 4, isOld ? 0 : (value.Minor & 0xFF) | (value.Major << 8) | ((value.Minor & ~0xFFu) << 12));
        }
    }

    /// <summary>l_i_checksum_lo and, where the inode has it, i_checksum_hi.</summary>
    public uint StoredChecksum
    {
        get
        {
            uint low = U16(raw, ChecksumLowOffset);
            return HasChecksumHigh ? low | ((uint)U16(raw, ChecksumHighOffset) << 16) : low;
        }
    }

    /// <summary>The checksum of all bytes with the checksum's own counted as zero; 16 bits where there is no room for more.</summary>
    public uint ComputeChecksum(InodeNumber number, in MetadataChecksum checksum)
    {
        ReadOnlySpan<byte> bytes = raw;
        uint crc = checksum.SeedOf(number, Generation);
        crc = Crc32C.Append(crc, bytes[..ChecksumLowOffset]);
        crc = Crc32C.AppendZeros(crc, sizeof(ushort));
        if (!HasChecksumHigh)
        {
            return (ushort)Crc32C.Append(crc, bytes[(ChecksumLowOffset + sizeof(ushort))..]);
        }

        crc = Crc32C.Append(crc, bytes[(ChecksumLowOffset + sizeof(ushort))..ChecksumHighOffset]);
        crc = Crc32C.AppendZeros(crc, sizeof(ushort));
        return Crc32C.Append(crc, bytes[(ChecksumHighOffset + sizeof(ushort))..]);
    }

    private bool HasChecksumHigh => ExtraSize >= ChecksumHighOffset + sizeof(ushort) - MinSize;

    // A field counts only where i_extra_isize reaches past it.
    private bool HasExtra(int offset) => ExtraSize >= offset + sizeof(uint) - MinSize && offset + sizeof(uint) <= raw.Length;

    private uint Extra(int offset) => HasExtra(offset) ? U32(raw, offset) : 0;

    private void Extra(int offset, uint value)
    {
        if (HasExtra(offset))
        {
            U32(raw, offset, value);
        }
    }

    private Timestamp Time(int offset, int extra) => InodeTime.Read(U32(raw, offset), Extra(extra));

    private void Time(int offset, int extra, Timestamp value)
    {
        (uint seconds, uint fine) = InodeTime.Write(HasExtra(extra) ? value : InodeTime.ClampToSeconds(value));
        U32(raw, offset, seconds);
        Extra(extra, fine);
    }

    private static void Require(
        bool holds, InodeNumber number, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, "inode", number, field, found);
}

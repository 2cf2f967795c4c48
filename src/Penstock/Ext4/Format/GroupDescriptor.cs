using System.Runtime.CompilerServices;
using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// A group descriptor (ext4_group_desc), 32 bytes, or 64 and more with 64bit: a plain value; bytes beyond the known fields stay as they are.
/// See https://docs.kernel.org/filesystems/ext4/group_descr.html.
/// </summary>
internal struct GroupDescriptor
{
    public const int SmallSize = 32;
    public const int LargeSize = 64;

    private const int ChecksumOffset = 0x1E;

    /// <summary>bg_block_bitmap.</summary>
    public VolumeBlock BlockBitmap;

    /// <summary>bg_inode_bitmap.</summary>
    public VolumeBlock InodeBitmap;

    /// <summary>bg_inode_table: the first of <see cref="VolumeGeometry.InodeTableBlocks"/> blocks.</summary>
    public VolumeBlock InodeTable;

    /// <summary>bg_free_blocks_count, in clusters with bigalloc.</summary>
    public uint FreeClusters;

    /// <summary>bg_free_inodes_count.</summary>
    public uint FreeInodes;

    /// <summary>bg_used_dirs_count.</summary>
    public uint UsedDirectories;

    /// <summary>bg_itable_unused: inodes at the table's end that were never used.</summary>
    public uint UnusedInodes;

    /// <summary>bg_flags.</summary>
    public GroupFlags Flags;

    /// <summary>bg_exclude_bitmap, of the snapshot feature that never came.</summary>
    public ulong ExcludeBitmap;

    /// <summary>bg_block_bitmap_csum: its low 16 bits only in a descriptor of 32 bytes.</summary>
    public uint BlockBitmapChecksum;

    /// <summary>bg_inode_bitmap_csum: its low 16 bits only in a descriptor of 32 bytes.</summary>
    public uint InodeBitmapChecksum;

    /// <summary>bg_checksum as read; <see cref="WriteTo"/> leaves it to <see cref="GroupChecksum"/>.</summary>
    public ushort Checksum;

    public readonly bool Is(GroupFlags flag) => (Flags & flag) != 0;

    /// <summary>Reads the fields without judging them.</summary>
    /// <param name="raw">The descriptor's bytes, s_desc_size of them.</param>
    public static GroupDescriptor Read(ReadOnlySpan<byte> raw)
    {
        bool isLarge = raw.Length >= LargeSize;
        return new GroupDescriptor
        {
            BlockBitmap = new(Wide(raw, 0x00, 0x20, isLarge)), // bg_block_bitmap_lo, _hi
            InodeBitmap = new(Wide(raw, 0x04, 0x24, isLarge)), // bg_inode_bitmap_lo, _hi
            InodeTable = new(Wide(raw, 0x08, 0x28, isLarge)), // bg_inode_table_lo, _hi
            FreeClusters = Narrow(raw, 0x0C, 0x2C, isLarge), // bg_free_blocks_count_lo, _hi
            FreeInodes = Narrow(raw, 0x0E, 0x2E, isLarge), // bg_free_inodes_count_lo, _hi
            UsedDirectories = Narrow(raw, 0x10, 0x30, isLarge), // bg_used_dirs_count_lo, _hi
            Flags = (GroupFlags)U16(raw, 0x12), // bg_flags
            ExcludeBitmap = Wide(raw, 0x14, 0x34, isLarge), // bg_exclude_bitmap_lo, _hi
            BlockBitmapChecksum = Narrow(raw, 0x18, 0x38, isLarge), // bg_block_bitmap_csum_lo, _hi
            InodeBitmapChecksum = Narrow(raw, 0x1A, 0x3A, isLarge), // bg_inode_bitmap_csum_lo, _hi
            UnusedInodes = Narrow(raw, 0x1C, 0x32, isLarge), // bg_itable_unused_lo, _hi
            Checksum = U16(raw, ChecksumOffset), // bg_checksum
        };
    }

    /// <summary>Reads a descriptor, checks its checksum, and that everything it points to and counts is possible on this volume.</summary>
    /// <exception cref="CorruptVolumeException">It is not.</exception>
    public static GroupDescriptor Parse(ReadOnlySpan<byte> raw, BlockGroup group, VolumeGeometry geometry, in GroupChecksum checksum)
    {
        GroupDescriptor parsed = Read(raw);
        ushort expected = checksum.Compute(raw, group);
        Require(!checksum.IsUsed || parsed.Checksum == expected, group, "bg_checksum", $"0x{parsed.Checksum:x4}, computed 0x{expected:x4}");
        Require(geometry.Contains(parsed.BlockBitmap), group, "bg_block_bitmap", $"{parsed.BlockBitmap.Value}");
        Require(geometry.Contains(parsed.InodeBitmap), group, "bg_inode_bitmap", $"{parsed.InodeBitmap.Value}");
        bool hasTable = parsed.InodeTable.Value > geometry.SuperblockBlock.Value && geometry.Contains(parsed.InodeTable, geometry.InodeTableBlocks);
        Require(hasTable, group, "bg_inode_table", $"{parsed.InodeTable.Value}");
        parsed.CheckCounts(group, geometry);
        return parsed;
    }

    /// <summary>Writes every field and the checksum.</summary>
    public readonly void WriteTo(Span<byte> raw, BlockGroup group, in GroupChecksum checksum)
    {
        bool isLarge = raw.Length >= LargeSize;
        Wide(raw, 0x00, 0x20, isLarge, BlockBitmap.Value);
        Wide(raw, 0x04, 0x24, isLarge, InodeBitmap.Value);
        Wide(raw, 0x08, 0x28, isLarge, InodeTable.Value);
        Narrow(raw, 0x0C, 0x2C, isLarge, FreeClusters);
        Narrow(raw, 0x0E, 0x2E, isLarge, FreeInodes);
        Narrow(raw, 0x10, 0x30, isLarge, UsedDirectories);
        U16(raw, 0x12, (ushort)Flags);
        Wide(raw, 0x14, 0x34, isLarge, ExcludeBitmap);
        Narrow(raw, 0x18, 0x38, isLarge, BlockBitmapChecksum);
        Narrow(raw, 0x1A, 0x3A, isLarge, InodeBitmapChecksum);
        Narrow(raw, 0x1C, 0x32, isLarge, UnusedInodes);
        U16(raw, ChecksumOffset, checksum.Compute(raw, group));
    }

    private readonly void CheckCounts(BlockGroup group, VolumeGeometry geometry)
    {
        uint clusters = geometry.ClustersIn(group);
        Require(FreeClusters <= clusters, group, "bg_free_blocks_count", $"{FreeClusters} of {clusters}");
        uint inodes = geometry.InodesPerGroup;
        Require(FreeInodes <= inodes, group, "bg_free_inodes_count", $"{FreeInodes} of {inodes}");
        Require(UsedDirectories <= inodes, group, "bg_used_dirs_count", $"{UsedDirectories} of {inodes}");
        Require(UnusedInodes <= inodes, group, "bg_itable_unused", $"{UnusedInodes} of {inodes}");
    }

    private static ulong Wide(ReadOnlySpan<byte> raw, int low, int high, bool isLarge) =>
        isLarge ? ((ulong)U32(raw, high) << 32) | U32(raw, low) : U32(raw, low);

    private static uint Narrow(ReadOnlySpan<byte> raw, int low, int high, bool isLarge) =>
        isLarge ? ((uint)U16(raw, high) << 16) | U16(raw, low) : U16(raw, low);

    private static void Wide(Span<byte> raw, int low, int high, bool isLarge, ulong value)
    {
        U32(raw, low, (uint)value);
        if (isLarge)
        {
            U32(raw, high, (uint)(value >> 32));
        }
    }

    private static void Narrow(Span<byte> raw, int low, int high, bool isLarge, uint value)
    {
        U16(raw, low, (ushort)value);
        if (isLarge)
        {
            U16(raw, high, (ushort)(value >> 16));
        }
    }

    private static void Require(
        bool holds, BlockGroup group, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, "group descriptor", group, field, found);
}

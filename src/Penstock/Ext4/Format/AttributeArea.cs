using System.Runtime.CompilerServices;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// The entries of extended attributes and their values, which grow towards each other: behind the extra fields of an inode, after a magic
/// number, or in a block of their own. Check an area once, then walk it without fear.
/// </summary>
internal static class AttributeArea
{
    /// <summary>h_magic, of both kinds.</summary>
    public const uint Magic = 0xEA020000;

    /// <summary>Bytes of ext4_xattr_ibody_header: the magic number.</summary>
    public const int InodeHeaderSize = 4;

    /// <summary>Whether an inode's area (<see cref="InodeRecord.AttributeArea"/>) holds attributes at all.</summary>
    public static bool IsPresentInInode(ReadOnlySpan<byte> area) => area.Length >= InodeHeaderSize + sizeof(uint) && U32(area, 0) == Magic;

    /// <summary>
    /// The part of an inode's area that <see cref="Check"/> and <see cref="EntriesOf"/> take: value offsets count from its start.
    /// </summary>
    public static Span<byte> WithoutHeader(Span<byte> area) => area[InodeHeaderSize..];

    /// <summary>Checks every entry: that it ends before the values begin, and that its value lies in the area.</summary>
    /// <param name="area">A whole block, or an inode's area without its header.</param>
    /// <param name="firstEntry">Where entries begin: <see cref="AttributeBlockHeader.Size"/> in a block, 0 in an inode.</param>
    /// <param name="inodeCount">s_inodes_count, for values in inodes.</param>
    /// <param name="location">The inode, or the block.</param>
    /// <exception cref="CorruptVolumeException">The area is damaged.</exception>
    public static void Check<TLocation>(ReadOnlySpan<byte> area, int firstEntry, uint inodeCount, TLocation location)
    {
        int end = FindEnd(area, firstEntry, location);
        int used = 0;
        for (int offset = firstEntry; offset < end - AttributeEntry.TerminatorSize;)
        {
            AttributeEntry entry = AttributeEntry.Read(area, offset);
            Require(entry.ValueInode <= inodeCount, location, "e_value_inum", $"{entry.ValueInode} at offset {offset}");
            if (!entry.HasValueInode && entry.ValueSize > 0)
            {
                bool isInside = entry.ValueOffset >= end && entry.ValueSize <= (uint)(area.Length - entry.ValueOffset);
                Require(entry.ValueOffset <= area.Length && isInside, location, "e_value_offs", $"{entry.ValueOffset}+{entry.ValueSize} at offset {offset}");
                used += AttributeEntry.Align((int)entry.ValueSize);
            }

            offset += entry.Length;
        }

        // Values that share bytes would be changed together.
        Require(used <= area.Length - end + AttributeEntry.Alignment - 1, location, "e_value_size", $"{used} bytes in all, room for {area.Length - end}");
    }

    /// <summary>The entries of a checked area.</summary>
    public static Entries EntriesOf(ReadOnlySpan<byte> area, int firstEntry) => new(area, firstEntry);

    /// <summary>The value of an entry of a checked area; empty if it lies in an inode.</summary>
    public static ReadOnlySpan<byte> ValueIn(ReadOnlySpan<byte> area, in AttributeEntry entry) =>
        entry.HasValueInode || entry.ValueSize == 0 ? default : area.Slice(entry.ValueOffset, (int)entry.ValueSize);

    private static int FindEnd<TLocation>(ReadOnlySpan<byte> area, int firstEntry, TLocation location)
    {
        int offset = firstEntry;
        while (true)
        {
            Require(area.Length - offset >= AttributeEntry.TerminatorSize, location, "e_name_len", $"no end of the entries before offset {offset}");
            if (AttributeEntry.IsTerminator(area, offset))
            {
                return offset + AttributeEntry.TerminatorSize;
            }

            bool isWhole = area.Length - offset >= AttributeEntry.HeaderSize && AttributeEntry.LengthFor(area[offset]) <= area.Length - offset;
            Require(isWhole, location, "e_name_len", $"{area[offset]} at offset {offset}");
            offset += AttributeEntry.LengthFor(area[offset]);
        }
    }

    private static void Require<TLocation>(
        bool holds, TLocation location, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, "attribute entry", location, field, found);

    /// <summary>Walks the entries of a checked area.</summary>
    internal ref struct Entries(ReadOnlySpan<byte> area, int firstEntry)
    {
        private readonly ReadOnlySpan<byte> area = area;
        private int next = firstEntry;
        private AttributeEntry current;

        public readonly AttributeEntry Current => current;

        public readonly Entries GetEnumerator() => this;

        public bool MoveNext()
        {
            if (AttributeEntry.IsTerminator(area, next))
            {
                return false;
            }

            current = AttributeEntry.Read(area, next);
            next += current.Length;
            return true;
        }
    }
}

using System.Runtime.CompilerServices;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// The index entries of a block of a hashed directory, in its root (dx_root) or below (dx_node): a count and a limit in the place of the
/// first entry's hash (dx_countlimit), entries by rising hash, and with metadata_csum a checksum behind the last place (dx_tail).
/// </summary>
internal static class DxNode
{
    /// <summary>Where the entries of a block below the root begin: after one free directory entry that spans the block.</summary>
    public const int EntriesOffset = 8;

    private const int TailSize = 8;

    /// <summary>The entries that have room between <paramref name="entriesOffset"/> and the end of the block.</summary>
    public static int LimitOf(int blockSize, int entriesOffset, bool hasChecksum) =>
        (blockSize - entriesOffset - (hasChecksum ? TailSize : 0)) / DxEntry.Size;

    /// <summary>count: entries in use, the first one too.</summary>
    public static int ReadCount(ReadOnlySpan<byte> block, int entriesOffset) => U16(block, entriesOffset + 2);

    /// <summary>limit.</summary>
    public static int ReadLimit(ReadOnlySpan<byte> block, int entriesOffset) => U16(block, entriesOffset);

    /// <summary>An entry; the first one's hash is 0, since its place holds count and limit.</summary>
    public static DxEntry Read(ReadOnlySpan<byte> block, int entriesOffset, int index)
    {
        int offset = entriesOffset + (index * DxEntry.Size);
        return new DxEntry(index == 0 ? 0 : U32(block, offset), U32(block, offset + 4) & DxEntry.BlockMask);
    }

    public static void Write(Span<byte> block, int entriesOffset, int index, DxEntry entry)
    {
        int offset = entriesOffset + (index * DxEntry.Size);
        if (index > 0)
        {
            U32(block, offset, entry.Hash); // hash
        }

        U32(block, offset + 4, entry.Block); // block
    }

    public static void WriteCountAndLimit(Span<byte> block, int entriesOffset, int count, int limit)
    {
        U16(block, entriesOffset, checked((ushort)limit)); // limit
        U16(block, entriesOffset + 2, checked((ushort)count)); // count
    }

    /// <summary>Makes the free entry that an index block below the root begins with.</summary>
    public static void WriteHead(Span<byte> block) =>
        DirectoryEntry.Write(block, 0, 0, block.Length, default, DirectoryFileType.Unknown);

    /// <summary>Reads a block below the root: checks that it looks like one, then its entries and checksum.</summary>
    /// <exception cref="CorruptVolumeException">The block is damaged.</exception>
    public static void CheckBlock(ReadOnlySpan<byte> block, bool hasChecksum, InodeBlockLocation location, uint inodeSeed)
    {
        DirectoryEntry head = DirectoryEntry.Read(block, 0);
        Require(head.Inode == 0, location, "inode", $"{head.Inode}, expected 0");
        Require(head.RecordLength == block.Length, location, "rec_len", $"{head.RecordLength}, expected {block.Length}");
        Check(block, EntriesOffset, hasChecksum, location, inodeSeed);
    }

    /// <summary>Checks count, limit, order of the hashes, and the checksum.</summary>
    /// <exception cref="CorruptVolumeException">The block is damaged.</exception>
    public static void Check(ReadOnlySpan<byte> block, int entriesOffset, bool hasChecksum, InodeBlockLocation location, uint inodeSeed)
    {
        int limit = ReadLimit(block, entriesOffset);
        int expected = LimitOf(block.Length, entriesOffset, hasChecksum);
        Require(limit == expected, location, "limit", $"{limit}, expected {expected}");
        int count = ReadCount(block, entriesOffset);
        Require(count >= 1 && count <= limit, location, "count", $"{count}, limit is {limit}");
        if (hasChecksum)
        {
            uint stored = U32(block, TailOffset(entriesOffset, limit) + 4);
            uint computed = ComputeChecksum(block, entriesOffset, inodeSeed);
            Require(stored == computed, location, "dt_checksum", $"0x{stored:x8}, computed 0x{computed:x8}");
        }

        uint last = 0;
        for (int i = 1; i < count; i++)
        {
            uint hash = Read(block, entriesOffset, i).Hash;
            Require(hash >= last, location, "hash", $"0x{hash:x8} in entry {i}, after 0x{last:x8}");
            last = hash;
        }
    }

    public static void WriteChecksum(Span<byte> block, int entriesOffset, uint inodeSeed) =>
        U32(block, TailOffset(entriesOffset, ReadLimit(block, entriesOffset)) + 4, ComputeChecksum(block, entriesOffset, inodeSeed));

    /// <summary>dt_checksum of a block whose limit is right.</summary>
    public static uint ReadChecksum(ReadOnlySpan<byte> block, int entriesOffset) =>
        U32(block, TailOffset(entriesOffset, ReadLimit(block, entriesOffset)) + 4);

    /// <summary>It covers the block up to the last entry in use, dt_reserved, and zeros for itself.</summary>
    public static uint ComputeChecksum(ReadOnlySpan<byte> block, int entriesOffset, uint inodeSeed)
    {
        int used = entriesOffset + (ReadCount(block, entriesOffset) * DxEntry.Size);
        int tail = TailOffset(entriesOffset, ReadLimit(block, entriesOffset));
        uint crc = Crc32C.Append(inodeSeed, block[..used]);
        crc = Crc32C.Append(crc, block.Slice(tail, sizeof(uint)));
        return Crc32C.AppendZeros(crc, sizeof(uint));
    }

    private static int TailOffset(int entriesOffset, int limit) => entriesOffset + (limit * DxEntry.Size);

    private static void Require(
        bool holds, InodeBlockLocation location, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, "directory index", location, field, found);
}

using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// A block of the orphan file: inode numbers, 0 where a slot is free, and a tail (ext4_orphan_block_tail).
/// See https://docs.kernel.org/filesystems/ext4/orphan.html.
/// </summary>
internal static class OrphanBlock
{
    public const uint Magic = 0x0B10CA04;

    private const int TailSize = 8;

    public static int SlotCount(int blockSize) => (blockSize - TailSize) / sizeof(uint);

    public static bool HasMagic(ReadOnlySpan<byte> block) => U32(block[^TailSize..], 0) == Magic;

    public static uint ReadSlot(ReadOnlySpan<byte> block, int slot) => U32(block, slot * sizeof(uint));

    public static void WriteSlot(Span<byte> block, int slot, uint inode) => U32(block, slot * sizeof(uint), inode);

    /// <exception cref="CorruptVolumeException">The tail is wrong or an inode number is impossible.</exception>
    public static void Check(ReadOnlySpan<byte> block, InodeBlockLocation location, VolumeGeometry geometry, bool hasChecksum, uint inodeSeed)
    {
        ReadOnlySpan<byte> tail = block[^TailSize..];
        uint magic = U32(tail, 0);
        FormatCheck.Require(magic == Magic, "orphan block", location, "ob_magic", $"0x{magic:x8}, expected 0x{Magic:x8}");
        if (hasChecksum)
        {
            uint stored = U32(tail, 4);
            uint computed = ComputeChecksum(block, location.Block.Value, inodeSeed);
            FormatCheck.Require(stored == computed, "orphan block", location, "ob_checksum", $"0x{stored:x8}, computed 0x{computed:x8}");
        }

        for (int slot = 0; slot < SlotCount(block.Length); slot++)
        {
            uint inode = ReadSlot(block, slot);
            FormatCheck.Require(inode <= geometry.InodeCount, "orphan block", location, "inode", $"{inode} in slot {slot}");
        }
    }

    /// <summary>Writes the tail; the checksum is seeded with the orphan file's inode and covers the block's own number.</summary>
    public static void WriteTail(Span<byte> block, ulong blockNumber, bool hasChecksum, uint inodeSeed)
    {
        Span<byte> tail = block[^TailSize..];
        U32(tail, 0, Magic); // ob_magic
        U32(tail, 4, hasChecksum ? ComputeChecksum(block, blockNumber, inodeSeed) : 0); // ob_checksum
    }

    private static uint ComputeChecksum(ReadOnlySpan<byte> block, ulong blockNumber, uint inodeSeed) =>
        Crc32C.Append(Crc32C.Append(inodeSeed, blockNumber), block[..(SlotCount(block.Length) * sizeof(uint))]);
}

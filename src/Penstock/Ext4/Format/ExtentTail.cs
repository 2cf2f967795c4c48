using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>The checksum behind the entries of an extent block (ext4_extent_tail). The root in i_block has none: the inode's covers it.</summary>
internal static class ExtentTail
{
    public const int Size = 4;

    /// <summary>Where et_checksum lies: right after the last entry there is room for.</summary>
    public static int OffsetOf(ReadOnlySpan<byte> block) => ExtentHeader.Size + (ExtentHeader.Read(block).Capacity * ExtentLeaf.Size);

    /// <param name="block">A block whose header is sound.</param>
    /// <param name="inodeSeed">The seed of the inode: <see cref="MetadataChecksum.SeedOf"/>.</param>
    public static uint Compute(ReadOnlySpan<byte> block, uint inodeSeed) => Crc32C.Append(inodeSeed, block[..OffsetOf(block)]);

    public static uint Read(ReadOnlySpan<byte> block) => U32(block, OffsetOf(block));

    public static void Write(Span<byte> block, uint inodeSeed) => U32(block, OffsetOf(block), Compute(block, inodeSeed));
}

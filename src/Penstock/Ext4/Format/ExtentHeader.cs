using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>The head of a node of an extent tree (ext4_extent_header), in i_block or at the start of a block.</summary>
/// <param name="Entries">eh_entries: entries in use.</param>
/// <param name="Capacity">eh_max: entries there is room for.</param>
/// <param name="Depth">eh_depth: 0 in a leaf.</param>
/// <param name="Generation">eh_generation; Linux leaves it alone.</param>
internal readonly record struct ExtentHeader(ushort Entries, ushort Capacity, ushort Depth, uint Generation = 0)
{
    public const int Size = 12;
    public const ushort Magic = 0xF30A;

    /// <summary>Five levels below the root hold more than 2^32 file blocks even with 1 KiB blocks.</summary>
    public const int MaxDepth = 5;

    /// <summary>Entries that i_block has room for.</summary>
    public const int RootCapacity = (InodeRecord.BlockFieldSize - Size) / ExtentLeaf.Size;

    public bool IsLeaf => Depth == 0;

    /// <summary>Entries that a block has room for; the checksum fits behind them at every block size.</summary>
    public static int CapacityOf(int blockSize) => (blockSize - Size) / ExtentLeaf.Size;

    /// <summary>eh_magic.</summary>
    public static ushort ReadMagic(ReadOnlySpan<byte> node) => U16(node, 0);

    public static ExtentHeader Read(ReadOnlySpan<byte> node) => new(U16(node, 2), U16(node, 4), U16(node, 6), U32(node, 8));

    public void WriteTo(Span<byte> node)
    {
        U16(node, 0, Magic); // eh_magic
        U16(node, 2, Entries); // eh_entries
        U16(node, 4, Capacity); // eh_max
        U16(node, 6, Depth); // eh_depth
        U32(node, 8, Generation); // eh_generation
    }
}

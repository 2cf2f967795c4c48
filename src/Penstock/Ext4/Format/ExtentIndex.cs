using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>An entry of an inner node (ext4_extent_idx): the node that covers the file blocks from <paramref name="First"/>.</summary>
/// <param name="First">ei_block.</param>
/// <param name="Child">ei_leaf_lo and ei_leaf_hi: the block of the node below.</param>
internal readonly record struct ExtentIndex(uint First, VolumeBlock Child)
{
    public const int Size = 12;

    public static ExtentIndex Read(ReadOnlySpan<byte> node, int index)
    {
        ReadOnlySpan<byte> entry = node[(ExtentHeader.Size + (index * Size))..];
        return new ExtentIndex(U32(entry, 0), new VolumeBlock(U32(entry, 4) | ((ulong)U16(entry, 8) << 32)));
    }

    public void WriteTo(Span<byte> node, int index)
    {
        Span<byte> entry = node[(ExtentHeader.Size + (index * Size))..];
        U32(entry, 0, First); // ei_block
        U32(entry, 4, (uint)Child.Value); // ei_leaf_lo
        U16(entry, 8, checked((ushort)(Child.Value >> 32))); // ei_leaf_hi
        U16(entry, 10, 0); // ei_unused
    }
}

using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>An entry of a leaf (ext4_extent): a run of file blocks on consecutive blocks of the volume.</summary>
/// <param name="First">ee_block: the first file block.</param>
/// <param name="Length">ee_len without its mark: 1 to 32768 blocks, 32767 if unwritten.</param>
/// <param name="IsUnwritten">Whether the blocks are allocated and read as zeros.</param>
/// <param name="Start">ee_start_hi and ee_start_lo: the first block on the volume.</param>
internal readonly record struct ExtentLeaf(uint First, ushort Length, bool IsUnwritten, VolumeBlock Start)
{
    public const int Size = 12;
    public const ushort MaxWrittenLength = 32768;
    public const ushort MaxUnwrittenLength = 32767;

    /// <summary>File blocks are numbered with 32 bits, and the last number is never used.</summary>
    public const uint MaxFileBlock = uint.MaxValue - 1;

    /// <summary>The file block after the last one.</summary>
    public ulong End => (ulong)First + Length;

    public static ExtentLeaf Read(ReadOnlySpan<byte> node, int index)
    {
        ReadOnlySpan<byte> entry = node[(ExtentHeader.Size + (index * Size))..];
        ushort length = U16(entry, 4);
        bool isUnwritten = length > MaxWrittenLength;
        ulong start = U32(entry, 8) | ((ulong)U16(entry, 6) << 32);
        return new ExtentLeaf(U32(entry, 0), isUnwritten ? (ushort)(length - MaxWrittenLength) : length, isUnwritten, new VolumeBlock(start));
    }

    public void WriteTo(Span<byte> node, int index)
    {
        Span<byte> entry = node[(ExtentHeader.Size + (index * Size))..];
        U32(entry, 0, First); // ee_block
        U16(entry, 4, IsUnwritten ? (ushort)(Length + MaxWrittenLength) : Length); // ee_len
        U16(entry, 6, checked((ushort)(Start.Value >> 32))); // ee_start_hi
        U32(entry, 8, (uint)Start.Value); // ee_start_lo
    }
}

using System.Numerics;
using System.Runtime.InteropServices;

namespace Penstock;

/// <summary>
/// CRC-32C (Castagnoli) as ext4 and its journal use it: the register is neither inverted before nor after a step, so that a
/// checksum can be continued over several pieces. A chain starts with <see cref="Start"/> and the register is stored as it is.
/// </summary>
internal static class Crc32C
{
    public const uint Start = uint.MaxValue;

    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(word));
        }

        foreach (byte rest in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, rest);
        }

        return crc;
    }

    /// <summary>Appends the four little-endian bytes of <paramref name="value"/>: an inode number, a generation, a group, a block.</summary>
    public static uint Append(uint crc, uint value) => BitOperations.Crc32C(crc, value);

    /// <summary>Appends the eight little-endian bytes of <paramref name="value"/>.</summary>
    public static uint Append(uint crc, ulong value) => BitOperations.Crc32C(crc, value);

    /// <summary>Appends <paramref name="count"/> zero bytes, which stand in for a checksum field inside the bytes it covers.</summary>
    public static uint AppendZeros(uint crc, int count)
    {
        for (int i = 0; i < count; i++)
        {
            crc = BitOperations.Crc32C(crc, (byte)0);
        }

        return crc;
    }
}

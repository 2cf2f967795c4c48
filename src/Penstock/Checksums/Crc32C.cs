using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Penstock;

/// <summary>
/// CRC-32C (Castagnoli) as ext4 and its journal use it: the register is neither inverted before nor after a step, so that a
/// checksum can be continued over several pieces. A chain starts with <see cref="Start"/> and the register is stored as it is.
/// </summary>
/// <remarks>
/// The processor's instruction takes three cycles and begins anew in each, so long pieces go as three lanes side by side. What a lane's register would be
/// after the lanes behind it have gone by is its product with a power of x: multiplied without carries, and reduced by the same instruction.
/// </remarks>
internal static class Crc32C
{
    public const uint Start = uint.MaxValue;

    /// <summary>The words of a lane: three lanes are a little less than the smallest block, so that blocks of all sizes go that way.</summary>
    private const int LaneWords = 42;

    /// <summary>x to the power of 8 * 336 - 33, reflected: moves a register past one lane.</summary>
    private const uint PastOneLane = 0xA60CE07B;

    /// <summary>x to the power of 8 * 672 - 33, reflected: moves a register past two lanes.</summary>
    private const uint PastTwoLanes = 0xCEC3662E;

    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        int rest = words.Length * sizeof(ulong);
        while (Pclmulqdq.IsSupported && words.Length >= 3 * LaneWords)
        {
            crc = AppendLanes(crc, words[..(3 * LaneWords)]);
            words = words[(3 * LaneWords)..];
        }

        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        }

        foreach (byte last in bytes[rest..])
        {
            crc = BitOperations.Crc32C(crc, last);
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

    private static uint AppendLanes(uint crc, ReadOnlySpan<ulong> words)
    {
        ReadOnlySpan<ulong> first = words[..LaneWords];
        ReadOnlySpan<ulong> second = words.Slice(LaneWords, LaneWords);
        ReadOnlySpan<ulong> third = words.Slice(2 * LaneWords, LaneWords);
        uint crc2 = 0;
        uint crc3 = 0;
        for (int i = 0; i < LaneWords; i++)
        {
            crc = BitOperations.Crc32C(crc, first[i]);
            crc2 = BitOperations.Crc32C(crc2, second[i]);
            crc3 = BitOperations.Crc32C(crc3, third[i]);
        }

        return MovePast(crc, PastTwoLanes) ^ MovePast(crc2, PastOneLane) ^ crc3;
    }

    private static uint MovePast(uint crc, uint power) => BitOperations.Crc32C(
        0u, Pclmulqdq.CarrylessMultiply(Vector128.CreateScalar((ulong)crc), Vector128.CreateScalar((ulong)power), 0).ToScalar());
}

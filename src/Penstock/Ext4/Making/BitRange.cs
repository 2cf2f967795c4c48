using System.Numerics;
using System.Runtime.InteropServices;

namespace Penstock.Ext4.Making;

/// <summary>Ranges of bits in a bitmap, the lowest bit of the first byte first.</summary>
internal static class BitRange
{
    public static void Set(Span<byte> bitmap, uint first, uint count)
    {
        uint end = first + count;
        while (first < end && (first & 7) != 0)
        {
            bitmap[(int)(first / 8)] |= (byte)(1 << (int)(first & 7));
            first++;
        }

        uint wholeBytes = (end - first) / 8;
        bitmap.Slice((int)(first / 8), (int)wholeBytes).Fill(0xFF);
        for (first += wholeBytes * 8; first < end; first++)
        {
            bitmap[(int)(first / 8)] |= (byte)(1 << (int)(first & 7));
        }
    }

    /// <summary>The bits set among the first <paramref name="count"/>.</summary>
    public static uint CountSet(ReadOnlySpan<byte> bitmap, uint count)
    {
        uint set = 0;
        ReadOnlySpan<byte> wholeBytes = bitmap[..(int)(count / 8)];
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(wholeBytes);
        foreach (ulong word in words)
        {
            set += (uint)BitOperations.PopCount(word);
        }

        foreach (byte rest in wholeBytes[(words.Length * sizeof(ulong))..])
        {
            set += (uint)BitOperations.PopCount(rest);
        }

        for (uint bit = count & ~7u; bit < count; bit++)
        {
            set += (uint)(bitmap[(int)(bit / 8)] >> (int)(bit & 7)) & 1;
        }

        return set;
    }
}

using System.Numerics;

namespace Penstock.Ext4.Allocation;

/// <summary>Looking for runs of clear bits, a word at a time.</summary>
internal static class BitmapSearch
{
    private const int WordBits = 64;

    /// <summary>The first clear bit in [from, end), or end.</summary>
    public static uint NextClear(ReadOnlySpan<ulong> words, uint from, uint end) => Next(words, from, end, flip: ulong.MaxValue);

    /// <summary>The first set bit in [from, end), or end.</summary>
    public static uint NextSet(ReadOnlySpan<ulong> words, uint from, uint end) => Next(words, from, end, flip: 0);

    /// <summary>The first run of clear bits in [from, end) that has <paramref name="wanted"/> bits, else the longest; empty if all are set.</summary>
    public static ClusterRange FindRun(ReadOnlySpan<ulong> words, uint from, uint end, uint wanted)
    {
        ClusterRange best = default;
        uint start = NextClear(words, from, end);
        while (start < end)
        {
            uint stop = NextSet(words, start, end);
            if (stop - start > best.Count)
            {
                best = new ClusterRange(start, stop - start);
                if (best.Count >= wanted)
                {
                    return best;
                }
            }

            start = NextClear(words, stop, end);
        }

        return best;
    }

    public static uint CountClear(ReadOnlySpan<ulong> words, uint end)
    {
        uint set = 0;
        uint whole = end / WordBits;
        foreach (ulong word in words[..(int)whole])
        {
            set += (uint)BitOperations.PopCount(word);
        }

        uint rest = end % WordBits;
        if (rest != 0)
        {
            set += (uint)BitOperations.PopCount(words[(int)whole] & ((1UL << (int)rest) - 1));
        }

        return end - set;
    }

    public static void Set(Span<ulong> words, ClusterRange range)
    {
        for (uint bit = range.First; bit < range.End;)
        {
            words[(int)(bit / WordBits)] |= MaskOf(ref bit, range.End);
        }
    }

    public static void Clear(Span<ulong> words, ClusterRange range)
    {
        for (uint bit = range.First; bit < range.End;)
        {
            int index = (int)(bit / WordBits);
            words[index] &= ~MaskOf(ref bit, range.End);
        }
    }

    public static bool IsAllSet(ReadOnlySpan<ulong> words, ClusterRange range) => NextClear(words, range.First, range.End) == range.End;

    public static bool IsAllClear(ReadOnlySpan<ulong> words, ClusterRange range) => NextSet(words, range.First, range.End) == range.End;

    /// <summary>The mask of the bits from <paramref name="bit"/> to the end of its word or to <paramref name="end"/>; moves on behind them.</summary>
    private static ulong MaskOf(ref uint bit, uint end)
    {
        int shift = (int)(bit % WordBits);
        uint count = Math.Min(end - bit, (uint)(WordBits - shift));
        ulong mask = count == WordBits ? ulong.MaxValue : ((1UL << (int)count) - 1) << shift;
        bit += count;
        return mask;
    }

    private static uint Next(ReadOnlySpan<ulong> words, uint from, uint end, ulong flip)
    {
        if (from >= end)
        {
            return end;
        }

        int index = (int)(from / WordBits);
        ulong word = (words[index] ^ flip) & (ulong.MaxValue << (int)(from % WordBits));
        int last = (int)((end - 1) / WordBits);
        while (word == 0)
        {
            if (++index > last)
            {
                return end;
            }

            word = words[index] ^ flip;
        }

        return Math.Min(end, (uint)((index * WordBits) + BitOperations.TrailingZeroCount(word)));
    }
}

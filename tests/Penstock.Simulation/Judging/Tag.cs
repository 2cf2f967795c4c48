using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Penstock.Simulation.Judging;

/// <summary>
/// What the bytes of a write look like: words of eight bytes that say which write they are of and where in it they stand, scrambled so that no
/// byte of one looks like that of another. Poison says where on the device it stands. Any aligned word that is found can be read backwards.
/// </summary>
internal static class Tag
{
    /// <summary>A write whose byte <see cref="LogMagicAt"/> begins what looks like a block of a journal's log: the one that is not too long.</summary>
    public const int LogMagicWrite = 249_079_492;

    /// <inheritdoc cref="LogMagicWrite"/>
    public const int LogMagicAt = 28_672;

    private const ulong First = 0x9E3779B97F4A7C15;
    private const ulong Second = 0xBF58476D1CE4E5B9;
    private const ulong WriteMark = 0x5057UL << 48;
    private const ulong PoisonMark = 0x5058UL << 48;
    private const ulong MarkMask = 0xFFFFUL << 48;
    private const int IndexBits = 20;

    private static readonly ulong s_firstInverse = Invert(First);
    private static readonly ulong s_secondInverse = Invert(Second);

    /// <summary>Fills memory with the bytes of a write from its byte <paramref name="start"/> on.</summary>
    public static void Fill(Span<byte> memory, long write, long start)
    {
        int at = 0;
        for (; at < memory.Length && ((start + at) & 7) != 0; at++)
        {
            memory[at] = ByteOf(write, start + at);
        }

        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(memory[at..]);
        ulong payload = Payload(write, start + at);
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = Scramble(payload++);
        }

        for (at += words.Length * 8; at < memory.Length; at++)
        {
            memory[at] = ByteOf(write, start + at);
        }
    }

    /// <summary>How many bytes from the start of the memory on are those of a write from its byte <paramref name="start"/> on.</summary>
    public static int Match(ReadOnlySpan<byte> memory, long write, long start)
    {
        int at = 0;
        for (; at < memory.Length && ((start + at) & 7) != 0; at++)
        {
            if (memory[at] != ByteOf(write, start + at))
            {
                return at;
            }
        }

        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(memory[at..]);
        ulong payload = Payload(write, start + at);
        int word = 0;
        while (word < words.Length && words[word] == Scramble(payload))
        {
            word++;
            payload++;
        }

        for (at += word * 8; at < memory.Length && memory[at] == ByteOf(write, start + at); at++)
        {
        }

        return at;
    }

    /// <summary>Fills memory with the poison of a place on the device; both are multiples of 8.</summary>
    public static void Poison(Span<byte> memory, long deviceOffset)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(memory);
        ulong payload = PoisonMark | (ulong)(deviceOffset / 8);
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = Scramble(payload++);
        }
    }

    /// <summary>Whose bytes these are, looking for a whole word in the first 15 of them.</summary>
    public static bool TryRead(ReadOnlySpan<byte> memory, out long write, out long start)
    {
        for (int shift = 0; shift < 8 && shift + 8 <= memory.Length; shift++)
        {
            ulong payload = Unscramble(BinaryPrimitives.ReadUInt64LittleEndian(memory[shift..]));
            if ((payload & MarkMask) == WriteMark)
            {
                write = (long)((payload & ~MarkMask) >> IndexBits);
                start = ((long)(payload & ((1UL << IndexBits) - 1)) * 8) - shift;
                return true;
            }
        }

        write = start = 0;
        return false;
    }

    /// <summary>What bytes are, for people.</summary>
    public static string Describe(ReadOnlySpan<byte> memory)
    {
        if (TryRead(memory, out long write, out long start) && start >= 0)
        {
            return string.Create(CultureInfo.InvariantCulture, $"byte {start} of write #{write}");
        }

        for (int shift = 0; shift < 8 && shift + 8 <= memory.Length; shift++)
        {
            ulong payload = Unscramble(BinaryPrimitives.ReadUInt64LittleEndian(memory[shift..]));
            if ((payload & MarkMask) == PoisonMark)
            {
                long offset = ((long)(payload & ~MarkMask) * 8) - shift;
                return string.Create(CultureInfo.InvariantCulture, $"poison of the device's byte {offset}");
            }
        }

        ReadOnlySpan<byte> few = memory[..Math.Min(8, memory.Length)];
        if (!few.ContainsAnyExcept((byte)0xC5))
        {
            return "a page's memory as it was before any fill";
        }

        return few.ContainsAnyExcept((byte)0) ? $"unknown bytes {Convert.ToHexString(few)}" : "zeros";
    }

    private static byte ByteOf(long write, long at) => (byte)(Scramble(Payload(write, at)) >> (int)((at & 7) * 8));

    private static ulong Payload(long write, long at) => WriteMark | ((ulong)write << IndexBits) | (ulong)(at >> 3);

    private static ulong Scramble(ulong payload)
    {
        payload *= First;
        payload ^= payload >> 32;
        payload *= Second;
        return payload ^ (payload >> 32);
    }

    private static ulong Unscramble(ulong word)
    {
        word ^= word >> 32;
        word *= s_secondInverse;
        word ^= word >> 32;
        return word * s_firstInverse;
    }

    /// <summary>The inverse of an odd number modulo 2^64, by Newton's iteration.</summary>
    private static ulong Invert(ulong odd)
    {
        ulong inverse = odd;
        for (int i = 0; i < 6; i++)
        {
            inverse *= 2 - (odd * inverse);
        }

        return inverse;
    }
}

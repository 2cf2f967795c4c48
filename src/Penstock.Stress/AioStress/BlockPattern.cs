using System.Runtime.InteropServices;
using Penstock.Stress.Fsx;

namespace Penstock.Stress.AioStress;

/// <summary>What blocks hold: each sector begins with a tag that tells its file, place and stage, and goes on in a way that follows from it.</summary>
internal sealed class BlockPattern(ulong salt)
{
    private const int Sector = 512;
    private const ulong Step = 0x9E3779B97F4A7C15;

    private readonly ContentTag _tag = new(salt);

    /// <summary>Fills a block that is written in pass <paramref name="pass"/> at <paramref name="offset"/>, a multiple of 8.</summary>
    public void Fill(Span<byte> block, int pass, int file, long offset)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(block);
        for (int start = 0; start < words.Length; start += Sector / sizeof(ulong))
        {
            Span<ulong> sector = words.Slice(start, Math.Min(Sector / sizeof(ulong), words.Length - start));
            _tag.Fill(MemoryMarshal.AsBytes(sector[..1]), pass, file, offset + (start * sizeof(ulong)));
            ulong first = sector[0];
            for (int i = 1; i < sector.Length; i++)
            {
                sector[i] = first + ((ulong)i * Step);
            }
        }
    }

    /// <summary>Whose the sector around a byte of a block is.</summary>
    public string Describe(ReadOnlySpan<byte> block, int index, int passes)
    {
        ReadOnlySpan<byte> sector = block[(index / Sector * Sector)..];
        return sector[..Math.Min(Sector, sector.Length)].IndexOfAnyExcept((byte)0) < 0 ? "zeros"
            : _tag.TryRead(sector[..sizeof(ulong)], passes, out int pass, out int file, out long offset)
            ? FormattableString.Invariant($"what pass {pass} wrote to 0x{offset:x} of file {file}")
            : "of no pass of this run";
    }
}

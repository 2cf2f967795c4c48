using System.Numerics;
using System.Runtime.InteropServices;

namespace Penstock.Simulation.Crash.Judging;

/// <summary>A hash that is the same for the same content in every run.</summary>
internal sealed class ContentHash
{
    public ulong Value { get; private set; } = 0x9E3779B97F4A7C15;

    public void Add(ulong word) => Value = BitOperations.RotateLeft((Value ^ word) * 0xBF58476D1CE4E5B9, 29);

    public void Add(string text) => Add(MemoryMarshal.AsBytes(text.AsSpan()));

    public void Add(ReadOnlySpan<byte> bytes)
    {
        Add((ulong)bytes.Length);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            Add(word);
        }

        ulong rest = 0;
        foreach (byte last in bytes[(words.Length * 8)..])
        {
            rest = (rest << 8) | last;
        }

        Add(rest);
    }
}

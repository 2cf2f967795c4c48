using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Penstock.Memory;

namespace Penstock.Simulation.Threads;

/// <summary>
/// The memory of users on many threads, aligned, of one length. What is given back is scribbled over, and must still be so when it is taken again: nobody else
/// writes it (invariant 3.15).
/// </summary>
internal sealed unsafe class SharedBuffers
{
    /// <summary>The length of a buffer, and its alignment, in bytes.</summary>
    public const int Length = 1 << 16;

    private const byte Scribble = 0xA7;

    private readonly ConcurrentQueue<nint> _free = new();

    /// <summary>Takes a buffer. What is wrong with it, or null.</summary>
    public string? Rent(out IoSegment buffer)
    {
        if (!_free.TryDequeue(out nint address))
        {
            address = (nint)NativeMemory.AlignedAlloc(Length, Length);
            new Span<byte>((void*)address, Length).Fill(Scribble);
        }

        buffer = new IoSegment(address, Length);
        int other = buffer.Bytes.IndexOfAnyExcept(Scribble);
        return other < 0 ? null : $"byte {other} of a buffer was written after its owner had it back";
    }

    public void Return(IoSegment buffer)
    {
        buffer.Bytes.Fill(Scribble);
        _free.Enqueue(buffer.Address);
    }

    /// <summary>Frees those that are back. What somebody still holds stays his.</summary>
    public void Free()
    {
        while (_free.TryDequeue(out nint address))
        {
            NativeMemory.AlignedFree((void*)address);
        }
    }
}

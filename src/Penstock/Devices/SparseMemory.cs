using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Penstock.Devices;

/// <summary>
/// Bytes of which only those chunks exist that were written. Overlapping calls from several threads leave some mixture of what they wrote,
/// as on a disk; each call by itself is safe.
/// </summary>
internal sealed unsafe class SparseMemory : IDisposable
{
    private const int ChunkLength = 64 << 10;

    // Readers of a chunk and its release exclude each other; which of the latches a chunk uses is its number's remainder.
    private readonly Lock[] _latches = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];
    private readonly ConcurrentDictionary<long, nint> _chunks = new();

    public long AllocatedBytes => (long)_chunks.Count * ChunkLength;

    public void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            Span<byte> piece = FirstPiece(offset, destination, out long number, out int start);
            lock (_latches[number % _latches.Length])
            {
                if (_chunks.TryGetValue(number, out nint chunk))
                {
                    new ReadOnlySpan<byte>((byte*)chunk + start, piece.Length).CopyTo(piece);
                }
                else
                {
                    piece.Clear();
                }
            }

            offset += piece.Length;
            destination = destination[piece.Length..];
        }
    }

    public void Write(long offset, Span<byte> source)
    {
        while (!source.IsEmpty)
        {
            Span<byte> piece = FirstPiece(offset, source, out long number, out int start);
            lock (_latches[number % _latches.Length])
            {
                piece.CopyTo(new Span<byte>((byte*)GetOrAddChunk(number) + start, piece.Length));
            }

            offset += piece.Length;
            source = source[piece.Length..];
        }
    }

    /// <summary>Makes the range read as zeros; whole chunks are given back.</summary>
    public void Clear(long offset, long length)
    {
        long last = (offset + length - 1) / ChunkLength;
        long first = offset / ChunkLength;

        // A range may span many more chunks than exist: go through whichever are fewer.
        IEnumerable<long> numbers = last - first < _chunks.Count
            ? Range(first, last)
            : _chunks.Keys.Where(number => number >= first && number <= last);
        foreach (long number in numbers)
        {
            long start = Math.Max(offset - (number * ChunkLength), 0);
            long end = Math.Min(offset + length - (number * ChunkLength), ChunkLength);
            lock (_latches[number % _latches.Length])
            {
                ClearChunk(number, (int)start, (int)end);
            }
        }
    }

    public void Dispose()
    {
        foreach (nint chunk in _chunks.Values)
        {
            NativeMemory.Free((void*)chunk);
        }

        _chunks.Clear();
    }

    private static IEnumerable<long> Range(long first, long last)
    {
        for (long number = first; number <= last; number++)
        {
            yield return number;
        }
    }

    private void ClearChunk(long number, int start, int end)
    {
        if (end - start == ChunkLength)
        {
            if (_chunks.TryRemove(number, out nint chunk))
            {
                NativeMemory.Free((void*)chunk);
            }
        }
        else if (_chunks.TryGetValue(number, out nint chunk))
        {
            new Span<byte>((byte*)chunk + start, end - start).Clear();
        }
    }

    private nint GetOrAddChunk(long number)
    {
        if (!_chunks.TryGetValue(number, out nint chunk))
        {
            chunk = (nint)NativeMemory.AllocZeroed(ChunkLength);
            _chunks[number] = chunk;
        }

        return chunk;
    }

    private static Span<byte> FirstPiece(long offset, Span<byte> bytes, out long number, out int start)
    {
        number = offset / ChunkLength;
        start = (int)(offset % ChunkLength);
        return bytes[..Math.Min(ChunkLength - start, bytes.Length)];
    }
}

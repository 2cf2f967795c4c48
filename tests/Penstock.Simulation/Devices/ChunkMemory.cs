using System.Numerics;
using System.Runtime.InteropServices;

namespace Penstock.Simulation.Devices;

/// <summary>
/// The content of a simulated device, in chunks that clones share until one of them writes: a volume is made once and every run begins
/// with a clone of it. One thread.
/// </summary>
internal sealed class ChunkMemory
{
    private const int ChunkLength = 16 * 1024;

    [ThreadStatic]
    private static Stack<byte[]>? t_spare;

    private readonly byte[][] _chunks;
    private readonly bool[] _isOwn;

    /// <summary>What <see cref="HashOf"/> made of each chunk; 0 where it has changed since.</summary>
    private readonly ulong[] _hashes;

    public ChunkMemory(long length)
    {
        _chunks = new byte[(length + ChunkLength - 1) / ChunkLength][];
        _isOwn = new bool[_chunks.Length];
        _hashes = new ulong[_chunks.Length];
        for (int i = 0; i < _chunks.Length; i++)
        {
            _chunks[i] = new byte[ChunkLength];
            _isOwn[i] = true;
        }
    }

    private ChunkMemory(byte[][] chunks, ulong[] hashes)
    {
        _chunks = chunks;
        _isOwn = new bool[chunks.Length];
        _hashes = hashes;
    }

    /// <summary>The bytes it holds, a multiple of the chunk's.</summary>
    public long Length => (long)_chunks.Length * ChunkLength;

    /// <summary>A copy. This one must not be written any more, or its chunks not be taken as its own: see <see cref="Freeze"/>.</summary>
    public ChunkMemory Clone() => new([.. _chunks], [.. _hashes]);

    /// <summary>Gives up the ownership of all chunks, so that clones made before and after see no later write.</summary>
    public ChunkMemory Freeze()
    {
        Array.Clear(_isOwn);
        return this;
    }

    public void Read(long offset, Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> chunk = _chunks[offset / ChunkLength].AsSpan((int)(offset % ChunkLength));
            int length = Math.Min(chunk.Length, bytes.Length);
            chunk[..length].CopyTo(bytes);
            bytes = bytes[length..];
            offset += length;
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> chunk = Own(offset / ChunkLength).AsSpan((int)(offset % ChunkLength));
            int length = Math.Min(chunk.Length, bytes.Length);
            bytes[..length].CopyTo(chunk);
            bytes = bytes[length..];
            offset += length;
        }
    }

    /// <summary>
    /// A hash of the content, but for a range. Costs what has changed since the last one of this memory, or of the one that it is a clone of.
    /// </summary>
    public ulong HashContent(long leftOut = 0, long leftOutLength = 0)
    {
        ulong sum = 0;
        for (int i = 0; i < _chunks.Length; i++)
        {
            long start = (long)i * ChunkLength;
            long first = Math.Clamp(leftOut - start, 0, ChunkLength);
            long end = Math.Clamp(leftOut + leftOutLength - start, first, ChunkLength);
            if (first == 0 && end == ChunkLength)
            {
                continue;
            }

            ulong hash = first < end ? HashWithout(_chunks[i], (int)first, (int)end) : _hashes[i] != 0 ? _hashes[i] : (_hashes[i] = HashOf(_chunks[i]));
            sum += BitOperations.RotateLeft(hash, i & 63) * ((ulong)i | 1);
        }

        return sum;
    }

    private static ulong HashWithout(byte[] chunk, int first, int end)
    {
        byte[] rest = [.. chunk];
        rest.AsSpan(first, end - first).Clear();
        return HashOf(rest);
    }

    /// <summary>Gives the chunks that nobody else can see back for the next run on this thread.</summary>
    public void Recycle()
    {
        t_spare ??= new Stack<byte[]>();
        for (int i = 0; i < _chunks.Length; i++)
        {
            if (_isOwn[i])
            {
                t_spare.Push(_chunks[i]);
                _chunks[i] = [];
                _isOwn[i] = false;
            }
        }
    }

    private static ulong HashOf(byte[] chunk)
    {
        ulong a = 0x9E3779B97F4A7C15;
        ulong b = 0xD1B54A32D192ED03;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(chunk);
        for (int i = 0; i < words.Length; i += 2)
        {
            a = BitOperations.RotateLeft((a ^ words[i]) * 0xBF58476D1CE4E5B9, 29);
            b = BitOperations.RotateLeft((b ^ words[i + 1]) * 0x94D049BB133111EB, 31);
        }

        return (a ^ BitOperations.RotateLeft(b, 17)) | 1;
    }

    private byte[] Own(long index)
    {
        _hashes[index] = 0;
        if (_isOwn[index])
        {
            return _chunks[index];
        }

        byte[] copy = t_spare is { Count: > 0 } spare ? spare.Pop() : GC.AllocateUninitializedArray<byte>(ChunkLength);
        _chunks[index].CopyTo(copy, 0);
        _chunks[index] = copy;
        _isOwn[index] = true;
        return copy;
    }
}

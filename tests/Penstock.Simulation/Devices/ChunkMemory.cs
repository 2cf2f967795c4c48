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

    public ChunkMemory(long length)
    {
        _chunks = new byte[(length + ChunkLength - 1) / ChunkLength][];
        _isOwn = new bool[_chunks.Length];
        for (int i = 0; i < _chunks.Length; i++)
        {
            _chunks[i] = new byte[ChunkLength];
            _isOwn[i] = true;
        }
    }

    private ChunkMemory(byte[][] chunks)
    {
        _chunks = chunks;
        _isOwn = new bool[chunks.Length];
    }

    /// <summary>A copy. This one must not be written any more, or its chunks not be taken as its own: see <see cref="Freeze"/>.</summary>
    public ChunkMemory Clone() => new([.. _chunks]);

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

    private byte[] Own(long index)
    {
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

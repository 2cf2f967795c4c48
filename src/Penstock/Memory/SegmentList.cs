using System.Buffers;
using System.Runtime.InteropServices;

namespace Penstock.Memory;

/// <summary>
/// The memory of one read or write: one or more segments, pinned from <see cref="Rent(ReadOnlyMemory{byte})"/> until <see cref="Dispose"/>.
/// Pooled; not thread-safe while it is being filled, immutable after that.
/// </summary>
internal sealed class SegmentList : IDisposable
{
    private static readonly Execution.Pool<SegmentList> s_pool = new(() => new SegmentList());

    private IoSegment[] _segments = new IoSegment[4];
    private MemoryHandle[] _handles = new MemoryHandle[4];
    private int _count;

    private SegmentList()
    {
    }

    /// <summary>The segments in order.</summary>
    public ReadOnlySpan<IoSegment> Segments => _segments.AsSpan(0, _count);

    /// <summary>The sum of the segments' lengths, in bytes.</summary>
    public long Length { get; private set; }

    /// <summary>
    /// Whether touching the memory can never wait: it is our own (a FUSE request's buffer), not a user's, which may be mapped from our own
    /// mount. User memory is touched only in user places and under no lock.
    /// </summary>
    public bool IsOurs { get; private set; }

    /// <summary>
    /// Whether some of it is neither an array nor <see cref="IPrivateMemory"/>: then it may be mapped from a file, of our own mount even. Neither a device may touch such memory
    /// nor managed code: who does waits for each page that is not there, and a collection of garbage waits for him.
    /// </summary>
    public bool MayBeMapped { get; private set; }

    public static SegmentList Rent(ReadOnlyMemory<byte> memory)
    {
        SegmentList list = s_pool.Rent();
        list.Add(memory);
        return list;
    }

    public static SegmentList Rent(ReadOnlySpan<IoSegment> segments, bool isOurs)
    {
        SegmentList list = s_pool.Rent();
        list.IsOurs = isOurs;
        foreach (IoSegment segment in segments)
        {
            list.Add(segment, default);
        }

        return list;
    }

    public static SegmentList Rent(IReadOnlyList<Memory<byte>> memories)
    {
        SegmentList list = s_pool.Rent();
        for (int i = 0; i < memories.Count; i++)
        {
            list.Add(memories[i]);
        }

        return list;
    }

    public static SegmentList Rent(IReadOnlyList<ReadOnlyMemory<byte>> memories)
    {
        SegmentList list = s_pool.Rent();
        for (int i = 0; i < memories.Count; i++)
        {
            list.Add(memories[i]);
        }

        return list;
    }

    /// <summary>Whether the memory belongs to this process alone, so that touching it waits for nobody.</summary>
    public static bool IsPrivate(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetMemoryManager(memory, out MemoryManager<byte>? manager) ? manager is IPrivateMemory : MemoryMarshal.TryGetArray(memory, out _);

    /// <summary>Whether every segment's address and length is a multiple of <paramref name="alignment"/>, a power of two.</summary>
    public bool IsAligned(int alignment)
    {
        foreach (IoSegment segment in Segments)
        {
            if (!segment.IsAligned(alignment))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Copies from <paramref name="start"/> bytes into the list on to <paramref name="destination"/>.</summary>
    public void CopyTo(long start, Span<byte> destination)
    {
        new SegmentCursor(this, start).CopyTo(destination);
    }

    /// <summary>Copies <paramref name="source"/> into the list, from <paramref name="start"/> bytes on.</summary>
    public void CopyFrom(long start, ReadOnlySpan<byte> source)
    {
        var cursor = new SegmentCursor(this, start);
        while (!source.IsEmpty)
        {
            Span<byte> piece = cursor.Next(source.Length).Bytes;
            source[..piece.Length].CopyTo(piece);
            source = source[piece.Length..];
        }
    }

    /// <summary>Zeroes <paramref name="length"/> bytes from <paramref name="start"/> on.</summary>
    public void Clear(long start, long length)
    {
        var cursor = new SegmentCursor(this, start);
        while (length > 0)
        {
            Span<byte> piece = cursor.Next((int)Math.Min(length, int.MaxValue)).Bytes;
            piece.Clear();
            length -= piece.Length;
        }
    }

    /// <summary>Unpins the memory and returns the list to its pool. Only when no device owns any of it any more.</summary>
    public void Dispose()
    {
        for (int i = 0; i < _count; i++)
        {
            _handles[i].Dispose();
            _handles[i] = default;
            _segments[i] = default;
        }

        _count = 0;
        Length = 0;
        IsOurs = false;
        MayBeMapped = false;
        s_pool.Return(this);
    }

    private unsafe void Add(ReadOnlyMemory<byte> memory)
    {
        if (!memory.IsEmpty)
        {
            MayBeMapped |= !IsPrivate(memory);
            MemoryHandle handle = memory.Pin();
            Add(new IoSegment((nint)handle.Pointer, memory.Length), handle);
        }
    }

    private void Add(IoSegment segment, MemoryHandle handle)
    {
        // An empty segment would be an empty piece of a transfer: a request of nothing.
        if (segment.Length == 0)
        {
            return;
        }

        if (_count == _segments.Length)
        {
            Array.Resize(ref _segments, _count * 2);
            Array.Resize(ref _handles, _count * 2);
        }

        _segments[_count] = segment;
        _handles[_count++] = handle;
        Length += segment.Length;
    }
}

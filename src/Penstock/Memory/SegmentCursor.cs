namespace Penstock.Memory;

/// <summary>A position in a <see cref="SegmentList"/> that hands out contiguous pieces.</summary>
internal struct SegmentCursor
{
    private readonly SegmentList _list;
    private int _index;
    private int _within;

    public SegmentCursor(SegmentList list, long start = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)start, (ulong)list.Length);
        _list = list;
        ReadOnlySpan<IoSegment> segments = list.Segments;
        while (_index < segments.Length && start >= segments[_index].Length)
        {
            start -= segments[_index++].Length;
        }

        _within = (int)start;
    }

    /// <summary>The next contiguous piece, at most <paramref name="most"/> bytes long; the position moves past it.</summary>
    /// <exception cref="InvalidOperationException">The list is at its end.</exception>
    public IoSegment Next(int most)
    {
        ReadOnlySpan<IoSegment> segments = _list.Segments;
        if (_index >= segments.Length)
        {
            throw new InvalidOperationException("The segment list is at its end.");
        }

        IoSegment segment = segments[_index];
        IoSegment piece = segment.Slice(_within, Math.Min(most, segment.Length - _within));
        _within += piece.Length;
        if (_within == segment.Length)
        {
            _index++;
            _within = 0;
        }

        return piece;
    }

    /// <summary>Copies the next bytes to <paramref name="destination"/>, as many as that has.</summary>
    public void CopyTo(Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            Span<byte> piece = Next(destination.Length).Bytes;
            piece.CopyTo(destination);
            destination = destination[piece.Length..];
        }
    }
}

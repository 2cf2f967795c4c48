namespace Penstock.Testing.Devices;

/// <summary>A large run of bytes of which only the pages that were written take memory. Not thread-safe.</summary>
internal sealed class SparseBytes
{
    private const int PageSize = 4096;

    private readonly Dictionary<long, byte[]> _pages = [];

    public SparseBytes()
    {
    }

    private SparseBytes(SparseBytes original)
    {
        foreach ((long index, byte[] page) in original._pages)
        {
            _pages[index] = (byte[])page.Clone();
        }
    }

    public SparseBytes Clone() => new(this);

    public void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            Span<byte> piece = destination[..Math.Min(destination.Length, PageSize - (int)(offset % PageSize))];
            if (_pages.TryGetValue(offset / PageSize, out byte[]? page))
            {
                page.AsSpan((int)(offset % PageSize), piece.Length).CopyTo(piece);
            }
            else
            {
                piece.Clear();
            }

            offset += piece.Length;
            destination = destination[piece.Length..];
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            ReadOnlySpan<byte> piece = source[..Math.Min(source.Length, PageSize - (int)(offset % PageSize))];
            if (!_pages.TryGetValue(offset / PageSize, out byte[]? page))
            {
                _pages[offset / PageSize] = page = new byte[PageSize];
            }

            piece.CopyTo(page.AsSpan((int)(offset % PageSize)));
            offset += piece.Length;
            source = source[piece.Length..];
        }
    }

    public void Clear(long offset, long length)
    {
        long end = offset + length;
        while (offset < end)
        {
            long piece = Math.Min(end - offset, PageSize - (offset % PageSize));
            if (piece == PageSize)
            {
                _pages.Remove(offset / PageSize);
            }
            else if (_pages.TryGetValue(offset / PageSize, out byte[]? page))
            {
                page.AsSpan((int)(offset % PageSize), (int)piece).Clear();
            }

            offset += piece;
        }
    }
}

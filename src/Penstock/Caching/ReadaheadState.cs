namespace Penstock.Caching;

/// <summary>Pages to read: how many, from where, and which of them starts the next readahead (-1: none).</summary>
internal readonly record struct ReadaheadWindow(long First, int Count, long Marker);

/// <summary>
/// What one open file has learnt of how it is read. Reading on where the last window ended doubles the window; anything else starts over
/// and reads just what was asked for.
/// </summary>
/// <remarks>
/// A marker is a page that, when a reader comes to it, starts the next window, or part of one, in the background; so a sequential reader never
/// waits for the device if it is fast enough. Reads that hit the cache need not report here.
/// </remarks>
internal sealed class ReadaheadState
{
    /// <summary>
    /// The longest window, in bytes, and so what is on its way while a reader goes through a fill that has come: 1 MiB let him wait for the device again and
    /// again.
    /// </summary>
    public const int MaxBytes = 4 << 20;

    private const int FirstBytes = 64 << 10;

    private readonly object _latch = new();
    private long _end;
    private int _window;

    /// <summary>A read wants <paramref name="wanted"/> pages from <paramref name="index"/> on, and the first is not cached: a window of one fill.</summary>
    public ReadaheadWindow OnMiss(long index, int wanted, int pageSize)
    {
        lock (_latch)
        {
            // The page before the end of the last read counts: reads that are no multiple of a page come back to it.
            bool isSequential = index == _end || index == _end - 1;
            int most = PageFill.MaxBytes / pageSize;
            if (!isSequential)
            {
                _window = 0;
                _end = index + wanted;
                return new ReadaheadWindow(index, Math.Min(wanted, most), -1);
            }

            Grow(most, pageSize);
            int count = Math.Min(Math.Max(wanted, _window), most);
            _end = index + count;
            long marker = index + Math.Max(count / 2, Math.Min(wanted, count - 1));
            return new ReadaheadWindow(index, count, count > 1 ? marker : -1);
        }
    }

    /// <summary>
    /// A read has come to the marker at <paramref name="index"/>: what is to be on its way from now on, at most <paramref name="most"/> bytes. Windows longer than a
    /// fill slide by one, so that the device always has the rest of the window to do.
    /// </summary>
    public ReadaheadWindow OnMarker(long index, int pageSize, int most)
    {
        lock (_latch)
        {
            Grow(Math.Max(most / pageSize, 1), pageSize);
            int fill = PageFill.MaxBytes / pageSize;
            long first = _end;
            int count = _window <= fill ? _window : (int)Math.Clamp(index + fill + _window - first, 0, _window);
            _end += count;
            return new ReadaheadWindow(first, count, first);
        }
    }

    private void Grow(int most, int pageSize) =>
        _window = Math.Min(_window == 0 ? Math.Max(1, FirstBytes / pageSize) : _window * 2, most);
}

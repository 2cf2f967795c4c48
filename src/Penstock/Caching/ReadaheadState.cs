namespace Penstock.Caching;

/// <summary>Pages to read: how many, from where, and which of them starts the next readahead (-1: none).</summary>
internal readonly record struct ReadaheadWindow(long First, int Count, long Marker);

/// <summary>
/// What one open file has learnt of how it is read. Reading on where the last window ended doubles the window; anything else starts over
/// and reads just what was asked for.
/// </summary>
/// <remarks>
/// A window's marker is a page that, when a reader comes to it, starts the window after it in the background; so a sequential reader never
/// waits for the device if it is fast enough. Reads that hit the cache need not report here.
/// </remarks>
internal sealed class ReadaheadState
{
    /// <summary>
    /// The longest window, in bytes, and so the most that is on its way while a reader goes through as much that has come: 1.0 MiB let him wait for the
    /// device again and again.
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

    /// <summary>A read has come to the marker: the next window, at most <paramref name="most"/> bytes long.</summary>
    public ReadaheadWindow OnMarker(int pageSize, int most)
    {
        lock (_latch)
        {
            Grow(Math.Max(most / pageSize, 1), pageSize);
            long first = _end;
            _end += _window;
            return new ReadaheadWindow(first, _window, first);
        }
    }

    private void Grow(int most, int pageSize) =>
        _window = Math.Min(_window == 0 ? Math.Max(1, FirstBytes / pageSize) : _window * 2, most);
}

using Penstock.Memory;

namespace Penstock.Fuse.Transport;

/// <summary>
/// The buffers of one session, in few sizes. What is in use is counted: a reader waits for room before it takes the next request, so
/// a flood of large writes cannot take more than the limit (and what the requests already read still need for their replies).
/// Handlers never wait here, or a reply could wait for the reply that would make room.
/// </summary>
internal sealed class WireBufferPool : IDisposable
{
    /// <summary>Requests and replies up to here are copied into a small buffer rather than holding a large one.</summary>
    public const int CopyLimit = 16 * 1024;

    private static readonly int[] s_sizes = [4 * 1024, CopyLimit, 128 * 1024];

    private readonly object _lock = new();
    private readonly Stack<WireBuffer>[] _free;
    private readonly int _largest;
    private readonly long _limit;
    private readonly IoSegment _registrable;
    private Action? _roomMade;
    private long _used;
    private bool _isDisposed;

    /// <param name="largest">Capacity of the largest buffers: the largest request and reply.</param>
    /// <param name="limit">Bytes in use from which on readers wait.</param>
    /// <param name="slab">Buffers to begin with, or null.</param>
    public WireBufferPool(int largest, long limit, WireSlab? slab = null)
    {
        _largest = largest;
        _limit = limit;
        _free = new Stack<WireBuffer>[s_sizes.Length + 1];
        for (int i = 0; i < _free.Length; i++)
        {
            _free[i] = new Stack<WireBuffer>();
        }

        if (slab is not null)
        {
            _registrable = slab.Segment;
            foreach (WireBuffer buffer in slab.Buffers)
            {
                _free[ClassOf(buffer.PayloadCapacity)].Push(buffer);
            }
        }
    }

    /// <summary>Where many of the buffers lie: what a ring may register. Empty where there is no such place.</summary>
    public IoSegment Registrable => _registrable;

    /// <summary>A pool that begins with buffers that a ring may register.</summary>
    public static WireBufferPool WithSlab(int largest, long limit) => new(largest, limit, WireSlab.Create(s_sizes[0], CopyLimit, largest));

    /// <summary>Payload bytes of all buffers that are in use.</summary>
    public long Used
    {
        get
        {
            lock (_lock)
            {
                return _used;
            }
        }
    }

    /// <summary>Whether the next request may be taken in.</summary>
    public bool HasRoom => Volatile.Read(ref _used) < _limit || Volatile.Read(ref _isDisposed);

    /// <summary>Has <paramref name="wake"/> called whenever there is room again: for a reader that may not block.</summary>
    public void WakeWhenThereIsRoom(Action wake)
    {
        lock (_lock)
        {
            _roomMade += wake;
        }
    }

    /// <summary>A buffer with at least this much payload.</summary>
    public WireBuffer Rent(int payloadCapacity)
    {
        int sizeClass = ClassOf(payloadCapacity);
        lock (_lock)
        {
            _used += SizeOf(sizeClass);
            if (_free[sizeClass].TryPop(out WireBuffer? buffer))
            {
                return buffer;
            }
        }

        return new WireBuffer(SizeOf(sizeClass));
    }

    /// <summary>Gives a buffer back.</summary>
    public void Return(WireBuffer buffer)
    {
        bool isKept;
        bool wasFull;
        lock (_lock)
        {
            wasFull = _used >= _limit;
            _used -= buffer.PayloadCapacity;
            isKept = !_isDisposed;
            if (isKept)
            {
                _free[ClassOf(buffer.PayloadCapacity)].Push(buffer);
            }

            if (wasFull)
            {
                Monitor.PulseAll(_lock);
            }
        }

        if (!isKept)
        {
            buffer.Free();
        }

        if (wasFull)
        {
            Volatile.Read(ref _roomMade)?.Invoke();
        }
    }

    /// <summary>Blocks a reader thread until what is in use is below the limit.</summary>
    public void WaitForRoom()
    {
        lock (_lock)
        {
            while (_used >= _limit && !_isDisposed)
            {
                Monitor.Wait(_lock);
            }
        }
    }

    /// <summary>Frees what is not in use; the rest is freed as it comes back.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            foreach (Stack<WireBuffer> free in _free)
            {
                while (free.TryPop(out WireBuffer? buffer))
                {
                    buffer.Free();
                }
            }

            Monitor.PulseAll(_lock);
        }
    }

    private int ClassOf(int payloadCapacity)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payloadCapacity, _largest);
        for (int i = 0; i < s_sizes.Length; i++)
        {
            if (payloadCapacity <= s_sizes[i])
            {
                return i;
            }
        }

        return s_sizes.Length;
    }

    private int SizeOf(int sizeClass) => sizeClass < s_sizes.Length ? s_sizes[sizeClass] : _largest;
}

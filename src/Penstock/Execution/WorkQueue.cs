namespace Penstock.Execution;

/// <summary>A first-in, first-out queue of work for the core's workers. Grows as needed and allocates nothing once it has.</summary>
internal sealed class WorkQueue
{
    private readonly object _latch = new();
    private (Action<object?> Work, object? State)[] _ring = new (Action<object?>, object?)[256];
    private int _head;
    private int _count;
    private int _sleepers;

    /// <summary>Adds a piece of work. Whether more is waiting than workers sleep: one more would have something to do.</summary>
    public bool Enqueue(Action<object?> work, object? state)
    {
        lock (_latch)
        {
            if (_count == _ring.Length)
            {
                Grow();
            }

            _ring[(_head + _count) & (_ring.Length - 1)] = (work, state);
            _count++;
            if (_sleepers > 0)
            {
                Monitor.Pulse(_latch);
            }

            return _count > _sleepers;
        }
    }

    public void Dequeue(out Action<object?> work, out object? state)
    {
        lock (_latch)
        {
            while (_count == 0)
            {
                _sleepers++;
                Monitor.Wait(_latch);
                _sleepers--;
            }

            ref (Action<object?> Work, object? State) slot = ref _ring[_head];
            (work, state) = slot;
            slot = default;
            _head = (_head + 1) & (_ring.Length - 1);
            _count--;
        }
    }

    private void Grow()
    {
        var larger = new (Action<object?>, object?)[_ring.Length * 2];
        for (int i = 0; i < _count; i++)
        {
            larger[i] = _ring[(_head + i) & (_ring.Length - 1)];
        }

        _ring = larger;
        _head = 0;
    }
}

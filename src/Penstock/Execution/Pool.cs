namespace Penstock.Execution;

/// <summary>
/// A bounded stack of objects for reuse. Which object is handed out is not observable by correct users, so a pool may be shared.
/// </summary>
internal sealed class Pool<T>(Func<T> create, int capacity = 256)
    where T : class
{
    private readonly T?[] _items = new T?[capacity];
    private int _count;

    /// <summary>Held for a few instructions, a dozen times for each request: a monitor takes several times as long.</summary>
    private SpinLock _latch = new(enableThreadOwnerTracking: false);

    public T Rent()
    {
        T? item = null;
        bool isHeld = false;
        _latch.Enter(ref isHeld);
        if (_count > 0)
        {
            item = _items[--_count];
            _items[_count] = null;
        }

        _latch.Exit(useMemoryBarrier: false);
        return item ?? create();
    }

    public void Return(T item)
    {
        bool isHeld = false;
        _latch.Enter(ref isHeld);
        if (_count < _items.Length)
        {
            _items[_count++] = item;
        }

        _latch.Exit(useMemoryBarrier: false);
    }
}

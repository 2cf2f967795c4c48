namespace Penstock.Execution;

/// <summary>
/// A bounded stack of objects for reuse. Which object is handed out is not observable by correct users, so a pool may be shared.
/// </summary>
internal sealed class Pool<T>(Func<T> create, int capacity = 256)
    where T : class
{
    private readonly T?[] _items = new T?[capacity - 1];
    private int _count;

    /// <summary>The object that came back last: one thread that rents and returns in turn needs no latch.</summary>
    private T? _last;

    public T Rent()
    {
        if (Volatile.Read(ref _last) is { } last && ReferenceEquals(Interlocked.CompareExchange(ref _last, null, last), last))
        {
            return last;
        }

        lock (_items)
        {
            if (_count > 0)
            {
                T item = _items[--_count]!;
                _items[_count] = null;
                return item;
            }
        }

        return create();
    }

    public void Return(T item)
    {
        if (Volatile.Read(ref _last) is null && Interlocked.CompareExchange(ref _last, item, null) is null)
        {
            return;
        }

        lock (_items)
        {
            if (_count < _items.Length)
            {
                _items[_count++] = item;
            }
        }
    }
}

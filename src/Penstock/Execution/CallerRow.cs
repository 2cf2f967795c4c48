namespace Penstock.Execution;

/// <summary>
/// Work that a user's thread does itself before its call returns, in place of handing it to another: the transfers of a device that needs nothing but a
/// processor. A read of such a device then costs no change of thread.
/// </summary>
/// <remarks>Invariants: (1) one thread adds and runs; (2) it takes work only while a call is open, and is empty when a call has closed, so nothing is left behind.</remarks>
internal sealed class CallerRow
{
    private (Action<object?> Work, object? State)[] _items = new (Action<object?>, object?)[16];
    private int _first;
    private int _end;
    private int _openCalls;

    public void Open() => _openCalls++;

    public bool TryAdd(Action<object?> work, object? state)
    {
        if (_openCalls == 0)
        {
            return false;
        }

        if (_end == _items.Length)
        {
            Array.Resize(ref _items, _end * 2);
        }

        _items[_end++] = (work, state);
        return true;
    }

    /// <summary>Runs all there is, what it adds itself included.</summary>
    public void Run()
    {
        while (_first < _end)
        {
            (Action<object?> work, object? state) = _items[_first];
            _items[_first++] = default;
            if (_first == _end)
            {
                _first = _end = 0;
            }

            work(state);
        }
    }

    public void Close()
    {
        Run();
        _openCalls--;
    }
}

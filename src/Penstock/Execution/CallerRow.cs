namespace Penstock.Execution;

/// <summary>
/// Work that a user's thread does itself before its call returns, in place of handing it to another: the transfers of a device that needs nothing but a
/// processor, and any transfer that a user blocks for. Such a request then costs no change of thread.
/// </summary>
/// <remarks>Invariants: (1) one thread adds and runs; (2) it takes work only while a call is open, and is empty when a call has closed, so nothing is left behind.</remarks>
internal sealed class CallerRow
{
    private (Action<object?> Work, object? State)[] _items = new (Action<object?>, object?)[16];
    private int _first;
    private int _end;
    private int _openCalls;

    /// <summary>Which of the open calls, counted from the outermost, blocks for its result; 0: none.</summary>
    private int _blockingCall;

    /// <summary>A call begins; <paramref name="blocks"/>: its thread has nothing to do but to wait for the result.</summary>
    public void Open(bool blocks = false)
    {
        _openCalls++;
        if (blocks)
        {
            _blockingCall = _openCalls;
        }
    }

    /// <summary>
    /// Adds work that blocks the thread, where it would only wait: the innermost call blocks. One piece at a time, so that what is asked for at once goes to the
    /// device at once.
    /// </summary>
    public bool TryAddBlocking(Action<object?> work, object? state) =>
        _openCalls != 0 && _openCalls == _blockingCall && _first == _end && TryAdd(work, state);

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
        if (_blockingCall == _openCalls--)
        {
            _blockingCall = 0;
        }
    }
}

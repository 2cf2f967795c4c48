namespace Penstock.Execution;

/// <summary>
/// Continuations of the core that a reaping thread has posted while it worked completions off, such as lock grants: it runs them itself at the end of its round,
/// which wakes no worker.
/// </summary>
/// <remarks>
/// Invariants: (1) one thread adds and runs; (2) what they post in turn goes to the workers, and so does what exceeds the row: the round ends, and the ring is not kept waiting.
/// </remarks>
internal sealed class CoreRow
{
    private const int Capacity = 64;

    private readonly (Action<object?> Work, object? State)[] _items = new (Action<object?>, object?)[Capacity];
    private int _count;
    private bool _isRunning;

    public bool IsEmpty => _count == 0;

    public bool TryAdd(Action<object?> work, object? state)
    {
        if (_isRunning || _count == Capacity)
        {
            return false;
        }

        _items[_count++] = (work, state);
        return true;
    }

    public void Run()
    {
        _isRunning = true;
        for (int i = 0; i < _count; i++)
        {
            (Action<object?> work, object? state) = _items[i];
            _items[i] = default;
            work(state);
        }

        _count = 0;
        _isRunning = false;
    }
}

namespace Penstock.Execution;

/// <summary>Work for the runtime's pool, pooled itself.</summary>
internal sealed class PoolWork : IThreadPoolWorkItem
{
    private static readonly Pool<PoolWork> s_pool = new(() => new PoolWork(), capacity: 1024);

    private Action<object?>? _work;
    private object? _state;

    private PoolWork()
    {
    }

    public static void Queue(Action<object?> work, object? state)
    {
        PoolWork item = s_pool.Rent();
        (item._work, item._state) = (work, state);
        ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false);
    }

    public void Execute()
    {
        (Action<object?> work, object? state) = (_work!, _state);
        (_work, _state) = (null, null);
        s_pool.Return(this);
        work(state);
    }
}

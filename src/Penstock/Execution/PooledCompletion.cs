using System.Threading.Tasks.Sources;

namespace Penstock.Execution;

/// <summary>
/// One awaited event: a pooled source of a <see cref="ValueTask{T}"/> that one party awaits and another completes. The continuation is posted
/// to a core place (never run inside <see cref="Complete"/>), and the object goes back to its pool when the result is taken.
/// </summary>
internal sealed class PooledCompletion<T> : IValueTaskSource<T>, IValueTaskSource
{
    private static readonly Pool<PooledCompletion<T>> s_pool = new(() => new PooledCompletion<T>());

    private CompletionCore<T> _core;
    private Scheduler? _scheduler;
    private T? _result;

    private PooledCompletion()
    {
    }

    /// <summary>A task for the event; awaited at most once, like every value task.</summary>
    public ValueTask<T> Task => new(this, _core.Version);

    /// <summary>The same without its result.</summary>
    public ValueTask TaskWithoutResult => new(this, _core.Version);

    public static PooledCompletion<T> Rent(Scheduler scheduler)
    {
        PooledCompletion<T> completion = s_pool.Rent();
        completion._scheduler = scheduler;
        return completion;
    }

    /// <summary>Completes the event; exactly once for each rent.</summary>
    public void Complete(T result)
    {
        _result = result;
        _scheduler!.Post(static state => ((PooledCompletion<T>)state!).Resume(), this);
    }

    /// <summary>Completes the event and runs the continuation here and now; for callers that are in a core place and hold no latch.</summary>
    public void CompleteInline(T result)
    {
        _result = result;
        Resume();
    }

    T IValueTaskSource<T>.GetResult(short token) => TakeResult(token);

    void IValueTaskSource.GetResult(short token) => TakeResult(token);

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _core.GetStatus(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        Await(continuation, state, token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        Await(continuation, state, token);

    private void Await(Action<object?> continuation, object? state, short token)
    {
        Scheduler scheduler = _scheduler!;
        if (!_core.TryAwait(continuation, state, token))
        {
            scheduler.Post(continuation, state);
        }
    }

    private void Resume()
    {
        T result = _result!;
        _result = default;
        _core.SetResult(result);
    }

    private T TakeResult(short token)
    {
        T result = _core.GetResult(token);
        _core.Reset();
        _scheduler = null;
        s_pool.Return(this);
        return result;
    }
}

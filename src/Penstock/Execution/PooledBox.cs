using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Penstock.Execution;

/// <summary>What an asynchronous method lives in while it waits: the source of its value task.</summary>
internal abstract class PooledBox<T> : IValueTaskSource<T>, IValueTaskSource
{
    private readonly Action _moveNext;
    private CompletionCore<T> _core;
    private ExecutionContext? _context;

    protected PooledBox() => _moveNext = Move;

    public short Version => _core.Version;

    public void SetResult(T result)
    {
        Clear();
        _core.SetResult(result);
    }

    public void SetException(Exception exception)
    {
        Clear();
        _core.SetException(exception);
    }

    /// <summary>Gets ready for a wait: the returned action goes on after it.</summary>
    public Action Prepare()
    {
        if (Checks.IsSupported)
        {
            _context = ExecutionContext.Capture();
        }

        return _moveNext;
    }

    T IValueTaskSource<T>.GetResult(short token) => Take(token);

    void IValueTaskSource.GetResult(short token) => Take(token);

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _core.GetStatus(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        Await(continuation, state, token, flags);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        Await(continuation, state, token, flags);

    protected abstract void MoveNext();

    protected abstract void Clear();

    protected abstract void ReturnToPool();

    /// <summary>Where the method has ended meanwhile, the continuation runs here and now, as if it had ended a moment before it was looked at.</summary>
    private void Await(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if ((flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) != 0 && SynchronizationContext.Current is { } context)
        {
            (continuation, state) = (PostingTo(context, continuation, state), null);
        }

        if (!_core.TryAwait(continuation, state, token))
        {
            continuation(state);
        }
    }

    /// <summary>Apart, so that nobody pays for the closure who awaits in no context.</summary>
    private static Action<object?> PostingTo(SynchronizationContext context, Action<object?> continuation, object? state) =>
        _ => context.Post(continuation.Invoke, state);

    private void Move()
    {
        ExecutionContext? context = _context;
        if (context is null)
        {
            MoveNext();
        }
        else
        {
            _context = null;
            ExecutionContext.Run(context, static state => ((PooledBox<T>)state!).MoveNext(), this);
        }
    }

    private T Take(short token)
    {
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
            ReturnToPool();
        }
    }
}

/// <summary>The box of one method's state machine.</summary>
internal sealed class PooledBox<T, TStateMachine> : PooledBox<T>
    where TStateMachine : IAsyncStateMachine
{
    private static readonly Pool<PooledBox<T, TStateMachine>> s_pool = new(() => new PooledBox<T, TStateMachine>(), capacity: 1024);

    private TStateMachine _stateMachine = default!;

    public TStateMachine StateMachine
    {
        set => _stateMachine = value;
    }

    public static PooledBox<T, TStateMachine> Rent() => s_pool.Rent();

    protected override void MoveNext() => _stateMachine.MoveNext();

    protected override void Clear() => _stateMachine = default!;

    protected override void ReturnToPool() => s_pool.Return(this);
}

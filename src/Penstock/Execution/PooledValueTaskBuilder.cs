using System.Runtime.CompilerServices;

namespace Penstock.Execution;

/// <summary>
/// Builds the value tasks of the core's asynchronous methods on pooled boxes, so that a method that waits allocates nothing once its pool is warm.
/// </summary>
/// <remarks>
/// The runtime's own pooling builder keeps no more boxes than a few times the number of processors, and so allocates at every request in flight
/// beyond those. The core needs no flow of the execution context either; only the lock recorder does, where it is supported.
/// </remarks>
internal struct PooledValueTaskBuilder<T>
{
    private PooledBox<T>? _box;
    private T? _result;
    private Exception? _exception;

    public readonly ValueTask<T> Task =>
        _box is not null ? new ValueTask<T>(_box, _box.Version)
        : _exception is not null ? ValueTask.FromException<T>(_exception)
        : new ValueTask<T>(_result!);

    public readonly ValueTask TaskWithoutResult =>
        _box is not null ? new ValueTask(_box, _box.Version)
        : _exception is not null ? ValueTask.FromException(_exception)
        : default;

    public static PooledValueTaskBuilder<T> Create() => default;

    /// <summary>Runs the method up to its first wait; changes of the execution context in it stay in it.</summary>
    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine =>
        AsyncValueTaskMethodBuilder.Create().Start(ref stateMachine);

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    public void SetResult(T result)
    {
        if (_box is not null)
        {
            _box.SetResult(result);
        }
        else
        {
            _result = result;
        }
    }

    public void SetException(Exception exception)
    {
        if (_box is not null)
        {
            _box.SetException(exception);
        }
        else
        {
            _exception = exception;
        }
    }

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        awaiter.OnCompleted(BoxOf(ref stateMachine));

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        awaiter.UnsafeOnCompleted(BoxOf(ref stateMachine));

    /// <summary>Moves the state machine into a box at its first wait; afterwards it runs in there.</summary>
    private Action BoxOf<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (_box is null)
        {
            var box = PooledBox<T, TStateMachine>.Rent();

            // Before the copy: the copy's builder must know its box.
            _box = box;
            box.StateMachine = stateMachine;
        }

        return _box.Prepare();
    }
}

/// <summary>As <see cref="PooledValueTaskBuilder{T}"/>, for methods without a result.</summary>
internal struct PooledValueTaskBuilder
{
    private PooledValueTaskBuilder<bool> _inner;

    public readonly ValueTask Task => _inner.TaskWithoutResult;

    public static PooledValueTaskBuilder Create() => default;

    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine =>
        _inner.Start(ref stateMachine);

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    public void SetResult() => _inner.SetResult(true);

    public void SetException(Exception exception) => _inner.SetException(exception);

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        _inner.AwaitOnCompleted(ref awaiter, ref stateMachine);

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        _inner.AwaitUnsafeOnCompleted(ref awaiter, ref stateMachine);
}

using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Penstock.Execution;

namespace Penstock.Files;

/// <summary>
/// The edge between the core and a user: carries the result of a core operation to the user's continuation, which runs in a user place (the
/// runtime's pool or the context he awaits in), never on the thread that reaps unless he asked for it. Pooled.
/// </summary>
internal sealed class UserOperation<T> : IValueTaskSource<T>, IValueTaskSource
{
    private static readonly Pool<UserOperation<T>> s_pool = new(() => new UserOperation<T>(), capacity: 1024);

    private readonly Action _continue;
    private ManualResetValueTaskSourceCore<T> _core;
    private ValueTaskAwaiter<T> _inner;

    /// <summary>How many threads block in <see cref="Take"/>; read after a full fence that follows the result.</summary>
    private int _blocked;

    private UserOperation() => _continue = Continue;

    /// <summary>Hands <paramref name="inner"/> to a user: as it is where it is complete, else through the edge.</summary>
    public static ValueTask<T> Carry(ValueTask<T> inner, bool continueInline = false)
    {
        if (inner.IsCompleted)
        {
            return inner;
        }

        UserOperation<T> operation = Begin(inner, continueInline);
        return new ValueTask<T>(operation, operation._core.Version);
    }

    /// <summary>As <see cref="Carry"/>, without the result.</summary>
    public static ValueTask CarryWithoutResult(ValueTask<T> inner, bool continueInline = false)
    {
        if (inner.IsCompletedSuccessfully)
        {
            _ = inner.GetAwaiter().GetResult();
            return ValueTask.CompletedTask;
        }

        UserOperation<T> operation = Begin(inner, continueInline);
        return new ValueTask(operation, operation._core.Version);
    }

    /// <summary>Blocks until a carried operation is done: see <see cref="Take"/>.</summary>
#pragma warning disable CA2012 // Take blocks while the result is pending, which the rule cannot know.
    public static T Wait(ValueTask<T> carried) => carried.GetAwaiter().GetResult();
#pragma warning restore CA2012

    T IValueTaskSource<T>.GetResult(short token) => Take(token);

    void IValueTaskSource.GetResult(short token) => Take(token);

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _core.GetStatus(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private static UserOperation<T> Begin(ValueTask<T> inner, bool continueInline)
    {
        UserOperation<T> operation = s_pool.Rent();
        operation._core.RunContinuationsAsynchronously = !continueInline;
        operation._inner = inner.GetAwaiter();
        operation._inner.UnsafeOnCompleted(operation._continue);
        return operation;
    }

    private void Continue()
    {
        ValueTaskAwaiter<T> inner = _inner;
        _inner = default;
        try
        {
            _core.SetResult(inner.GetResult());
        }
        catch (Exception e)
        {
            _core.SetException(e);
        }

        // Fence: the result before the look at the blocked; a blocked thread counts itself in before it looks at the result.
        Interlocked.MemoryBarrier();
        if (_blocked > 0)
        {
            lock (_continue)
            {
                Monitor.PulseAll(_continue);
            }
        }
    }

    /// <summary>Takes the result; blocks until there is one, so that <c>.Result</c> works as users expect although value tasks owe them nothing.</summary>
    private T Take(short token)
    {
        if (_core.GetStatus(token) == ValueTaskSourceStatus.Pending)
        {
            Block(token);
        }

        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
            s_pool.Return(this);
        }
    }

    private void Block(short token)
    {
        Interlocked.Increment(ref _blocked);
        lock (_continue)
        {
            while (_core.GetStatus(token) == ValueTaskSourceStatus.Pending)
            {
                Monitor.Wait(_continue);
            }
        }

        Interlocked.Decrement(ref _blocked);
    }
}

using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Penstock.Execution;

namespace Penstock.Files;

/// <summary>
/// The edge between the core and a user: carries the result of a core operation to the user's continuation, which runs in a user place (the
/// runtime's pool or the context he awaits in), never on the thread that reaps unless he asked for it. Pooled.
/// </summary>
/// <remarks>
/// States: running → landed (the result is here, its publication posted to a user place) → published. Whoever moves landed to published
/// publishes: the posted work, or a thread that blocks for the result and need not wait for the pool. Work that was overtaken may find
/// the object in its next use; if that has landed too, publishing it from a user place is just what is wanted.
/// </remarks>
internal sealed class UserOperation<T> : IValueTaskSource<T>, IValueTaskSource
{
    private const int Running = 0;
    private const int Landed = 1;
    private const int Published = 2;

    private static readonly Pool<UserOperation<T>> s_pool = new(() => new UserOperation<T>(), capacity: 1024);

    private readonly Action _continue;
    private readonly object _latch = new();
    private ManualResetValueTaskSourceCore<T> _core;
    private ValueTaskAwaiter<T> _inner;
    private Scheduler _scheduler = null!;
    private bool _continuesInline;
    private bool _isBlockedFor;
    private int _state;

    private UserOperation() => _continue = Land;

    /// <summary>Hands <paramref name="inner"/> to a user: as it is where it is complete, else through the edge.</summary>
    public static ValueTask<T> Carry(ValueTask<T> inner, Scheduler scheduler, bool continueInline = false)
    {
        if (inner.IsCompleted)
        {
            return inner;
        }

        UserOperation<T> operation = Begin(inner, scheduler, continueInline);
        return new ValueTask<T>(operation, operation._core.Version);
    }

    /// <summary>As <see cref="Carry"/>, without the result.</summary>
    public static ValueTask CarryWithoutResult(ValueTask<T> inner, Scheduler scheduler, bool continueInline = false)
    {
        if (inner.IsCompletedSuccessfully)
        {
            _ = inner.GetAwaiter().GetResult();
            return ValueTask.CompletedTask;
        }

        if (inner.IsCompleted)
        {
            // Failed already; to wait for it would only send it through the runtime's pool.
            return new ValueTask(inner.AsTask());
        }

        UserOperation<T> operation = Begin(inner, scheduler, continueInline);
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

    private static UserOperation<T> Begin(ValueTask<T> inner, Scheduler scheduler, bool continueInline)
    {
        UserOperation<T> operation = s_pool.Rent();
        operation._scheduler = scheduler;
        operation._continuesInline = continueInline;
        operation._inner = inner.GetAwaiter();
        operation._inner.UnsafeOnCompleted(operation._continue);
        return operation;
    }

    /// <summary>The core operation has completed, wherever this runs.</summary>
    private void Land()
    {
        Scheduler scheduler = _scheduler;
        bool publishesHere = _continuesInline || scheduler.MayTouchUserMemory;
        lock (_latch)
        {
            Volatile.Write(ref _state, Landed);
            if (_isBlockedFor)
            {
                // Who blocks publishes.
                _isBlockedFor = false;
                Monitor.PulseAll(_latch);
                return;
            }
        }

        if (publishesHere)
        {
            Publish();
        }
        else
        {
            scheduler.PostToUser(static state => ((UserOperation<T>)state!).Publish(), this);
        }
    }

    private void Publish()
    {
        if (Interlocked.CompareExchange(ref _state, Published, Landed) != Landed)
        {
            return;
        }

        ValueTaskAwaiter<T> inner = _inner;
        _inner = default;
        T result;
        try
        {
            result = inner.GetResult();
        }
        catch (Exception e)
        {
            _core.SetException(e);
            return;
        }

        _core.SetResult(result);
    }

    /// <summary>Takes the result; blocks until there is one, so that <c>.Result</c> works as users expect although value tasks owe them nothing.</summary>
    private T Take(short token)
    {
        if (_core.GetStatus(token) == ValueTaskSourceStatus.Pending)
        {
            Block();
        }

        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
            Volatile.Write(ref _state, Running);
            s_pool.Return(this);
        }
    }

    private void Block()
    {
        _scheduler.AboutToBlock();
        lock (_latch)
        {
            while (Volatile.Read(ref _state) == Running)
            {
                _isBlockedFor = true;
                Monitor.Wait(_latch);
            }
        }

        Publish();

        // The pool may have won the race to publish, and be a few instructions from the end of it.
        var spinner = default(SpinWait);
        while (_core.GetStatus(_core.Version) == ValueTaskSourceStatus.Pending)
        {
            spinner.SpinOnce();
        }
    }
}

/// <summary>The same edge for core operations without a result.</summary>
internal static class UserOperation
{
    /// <summary>As <see cref="UserOperation{T}.Carry"/>.</summary>
    public static ValueTask Carry(ValueTask inner, Scheduler scheduler)
    {
        if (inner.IsCompletedSuccessfully)
        {
            inner.GetAwaiter().GetResult();
            return ValueTask.CompletedTask;
        }

        return UserOperation<bool>.CarryWithoutResult(WithResultAsync(inner), scheduler);
    }

    private static async ValueTask<bool> WithResultAsync(ValueTask inner)
    {
        await inner.ConfigureAwait(false);
        return true;
    }
}

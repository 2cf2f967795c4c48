using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace Penstock.Execution;

/// <summary>
/// What a source of value tasks stands on, as the runtime's ManualResetValueTaskSourceCore, but for one thing: a continuation that comes after the result is not sent
/// to the runtime's pool. The source says where it runs; so the core goes on when every thread of that pool is blocked.
/// </summary>
internal struct CompletionCore<T>
{
    private static readonly Action<object?> s_completed = static _ => throw new InvalidOperationException("An event was awaited after its end.");

    private Action<object?>? _continuation;
    private object? _state;
    private T? _result;
    private ExceptionDispatchInfo? _failure;
    private short _version;
    private bool _isCompleted;

    public readonly short Version => _version;

    /// <summary>Gets ready for the next use; earlier tasks are void.</summary>
    public void Reset()
    {
        _version++;
        _continuation = null;
        _state = null;
        _result = default;
        _failure = null;
        _isCompleted = false;
    }

    /// <summary>Completes, and runs the continuation here if there is one.</summary>
    public void SetResult(T result)
    {
        _result = result;
        Complete();
    }

    /// <summary>Completes badly, and runs the continuation here if there is one.</summary>
    public void SetException(Exception exception)
    {
        _failure = ExceptionDispatchInfo.Capture(exception);
        Complete();
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        Require(token);

        // Both: until the continuation's place is taken, the completer still works on this.
        return Volatile.Read(ref _continuation) is null || !Volatile.Read(ref _isCompleted) ? ValueTaskSourceStatus.Pending
            : _failure is null ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Faulted;
    }

    public T GetResult(short token)
    {
        Require(token);
        if (!_isCompleted)
        {
            throw new InvalidOperationException("The result of an event was taken before its end.");
        }

        _failure?.Throw();
        return _result!;
    }

    /// <summary>Leaves a continuation for who completes; false if that has happened: then it is the caller's to run.</summary>
    public bool TryAwait(Action<object?> continuation, object? state, short token)
    {
        Require(token);
        _state = state;
        Action<object?>? before = Interlocked.CompareExchange(ref _continuation, continuation, null);
        if (before is not null && !ReferenceEquals(before, s_completed))
        {
            throw new InvalidOperationException("An event is awaited once.");
        }

        return before is null;
    }

    private void Complete()
    {
        if (_isCompleted)
        {
            throw new InvalidOperationException("An event is completed once.");
        }

        Volatile.Write(ref _isCompleted, true);
        if (Interlocked.CompareExchange(ref _continuation, s_completed, null) is { } continuation)
        {
            continuation(_state);
        }
    }

    private readonly void Require(short token)
    {
        if (token != _version)
        {
            throw new InvalidOperationException("A value task was used after its result had been taken.");
        }
    }
}

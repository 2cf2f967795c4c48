using System.Runtime.CompilerServices;

namespace Penstock.Execution;

/// <summary>See <see cref="Scheduler.SwitchToUserPlace"/>.</summary>
internal readonly struct UserPlaceAwaitable(Scheduler scheduler) : ICriticalNotifyCompletion
{
    public bool IsCompleted => scheduler.MayTouchUserMemory;

    public UserPlaceAwaitable GetAwaiter() => this;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) =>
        scheduler.PostToUser(static state => ((Action)state!).Invoke(), continuation);
}

/// <summary>See <see cref="Scheduler.Yield"/>.</summary>
internal readonly struct YieldAwaitable(Scheduler scheduler) : ICriticalNotifyCompletion
{
    public bool IsCompleted => false;

    public YieldAwaitable GetAwaiter() => this;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) =>
        scheduler.Post(static state => ((Action)state!).Invoke(), continuation);
}

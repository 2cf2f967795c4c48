using System.Runtime.CompilerServices;
using Penstock.Execution;

namespace Penstock.Simulation.Running;

/// <summary>Awaited, goes on in a user place when the scheduler gets to it.</summary>
internal readonly struct UserTurn(Scheduler scheduler) : ICriticalNotifyCompletion
{
    public bool IsCompleted => false;

    public UserTurn GetAwaiter() => this;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) =>
        scheduler.PostToUser(static state => ((Action)state!).Invoke(), continuation);
}

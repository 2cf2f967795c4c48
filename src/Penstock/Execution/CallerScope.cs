namespace Penstock.Execution;

/// <summary>A user's call, as long as it is on the stack: where the device allows it, the calling thread does the device's work before it returns.</summary>
internal readonly ref struct CallerScope
{
    private readonly Scheduler? _scheduler;

    private CallerScope(Scheduler? scheduler) => _scheduler = scheduler;

    public static CallerScope Open(Scheduler scheduler, bool isWanted) => new(isWanted && scheduler.TryOpenCallerRow() ? scheduler : null);

    public void Dispose() => _scheduler?.CloseCallerRow();
}

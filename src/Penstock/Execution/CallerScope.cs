namespace Penstock.Execution;

/// <summary>A user's call, as long as it is on the stack: where the device allows it, the calling thread does the device's work before it returns.</summary>
internal readonly ref struct CallerScope
{
    private readonly Scheduler? _scheduler;

    private CallerScope(Scheduler? scheduler) => _scheduler = scheduler;

    /// <param name="scheduler">The scheduler.</param>
    /// <param name="isWanted">Whether there is work that the thread may do.</param>
    /// <param name="blocks">Whether the thread has nothing to do but to wait for the result.</param>
    public static CallerScope Open(Scheduler scheduler, bool isWanted, bool blocks = false) =>
        new(isWanted && scheduler.TryOpenCallerRow(blocks) ? scheduler : null);

    public void Dispose() => _scheduler?.CloseCallerRow();
}

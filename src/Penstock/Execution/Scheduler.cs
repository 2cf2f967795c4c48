namespace Penstock.Execution;

/// <summary>
/// The one seam for time and order. Whatever the core waits for (a device completion, a lock grant, an alarm) is resumed through here, and
/// so is every background activity; so a simulator that supplies its own scheduler owns every choice, and no other code differs.
/// </summary>
/// <remarks>
/// <para>Two kinds of place exist. <em>Core</em> places (the threads that reap completions, and the core's workers) run continuations of the core:
/// they never block and never touch user memory, which may be mapped from a mount that this very process serves. <em>User</em> places (the
/// caller's own thread, and the pool where a user's continuations run) may do both.</para>
/// <para>All members may be called from any thread. No member runs the given work before it returns.</para>
/// </remarks>
internal abstract class Scheduler
{
    /// <summary>The scheduler of production: the core's own workers, and the runtime's pool for users' continuations.</summary>
    public static Scheduler Default => ThreadedScheduler.Shared;

    /// <summary>Wall-clock time, in nanoseconds since 1970-01-01 UTC; for file times only.</summary>
    public abstract long UnixNanoseconds { get; }

    /// <summary>A clock that never goes back, in nanoseconds from an arbitrary start; for ages and intervals.</summary>
    public abstract long MonotonicNanoseconds { get; }

    /// <summary>Whether the current place is a user place, where user memory may be touched.</summary>
    public abstract bool MayTouchUserMemory { get; }

    /// <summary>The lock recorder of this scheduler, or null where nothing is recorded. Always null in a shipped build.</summary>
    public Locking.LockRecorder? Recorder { get; set; }

    /// <summary>Switches one rule off in this scheduler; <see cref="Rule.None"/>: none. Ignored in a shipped build.</summary>
    public Rule BrokenRule
    {
        get => field;
        set
        {
            field = value;
            BrokenRules = RuleSet.Of(value);
        }
    }

    /// <summary>The rules that are switched off in this scheduler. Ignored in a shipped build.</summary>
    public RuleSet BrokenRules { get; set; }

    /// <summary>Runs <paramref name="work"/> in a core place, soon.</summary>
    public abstract void Post(Action<object?> work, object? state);

    /// <summary>Runs <paramref name="work"/> in a user place, soon.</summary>
    public abstract void PostToUser(Action<object?> work, object? state);

    /// <summary>Makes an alarm that runs <paramref name="work"/> in a core place each time it goes off.</summary>
    public abstract Alarm CreateAlarm(Action<object?> work, object? state);

    /// <summary>Random bytes for identifiers (UUIDs, hash seeds, generations).</summary>
    public abstract void FillRandom(Span<byte> bytes);

    /// <summary>
    /// Starts the loop that reaps a device's completions. In production it gets a thread of its own, a core place;
    /// devices whose completions do not come from the host have none.
    /// </summary>
    public abstract void StartReaper(string name, Action loop);

    /// <summary>
    /// The calling reaping thread will run what it posts to users itself, between its rounds, with <see cref="RunRow"/>; while it does, it has laid the duty down, and
    /// another thread stands in if a user holds it up. Only where the host's scheduler has threads.
    /// </summary>
    public virtual void OpenRow(SharedDuty duty)
    {
    }

    /// <summary>The calling thread reaps no more.</summary>
    public virtual void CloseRow()
    {
    }

    /// <summary>Runs what the calling thread has posted to users. Whether it has its duty again; if not, somebody else has it.</summary>
    public virtual bool RunRow() => true;

    /// <summary>Whether <see cref="RunRow"/> or <see cref="EndRound"/> has something to do for the calling thread, which must not sleep then.</summary>
    public virtual bool HasRow => false;

    /// <summary>
    /// The calling reaping thread ends a round: one continuation of the core that the round posted stayed with it. It is run here where the thread would have nothing
    /// to do but to sleep, with what it posts in turn, and else handed to the workers.
    /// </summary>
    /// <param name="isIdle">Whether the device has nothing for the thread to do: asked anew for each continuation.</param>
    public virtual void EndRound(Func<bool> isIdle)
    {
    }

    /// <summary>
    /// A user's call begins on the calling thread, which will itself do what is posted with <see cref="TryPostToCaller"/> until <see cref="CloseCallerRow"/>. False where
    /// it may not (a core place), or where every step is the scheduler's to order.
    /// </summary>
    /// <param name="blocks">Whether the thread has nothing to do but to wait for the result: then it may do what blocks.</param>
    public virtual bool TryOpenCallerRow(bool blocks = false) => false;

    /// <summary>Leaves <paramref name="work"/> to the calling thread, a user place, to do before its user's call returns; false where there is no such call.</summary>
    public virtual bool TryPostToCaller(Action<object?> work, object? state) => false;

    /// <summary>As <see cref="TryPostToCaller"/>, for work that blocks the thread; false where the call is not one that blocks for its result.</summary>
    public virtual bool TryPostToBlockedCaller(Action<object?> work, object? state) => false;

    /// <summary>Does what was left to the calling thread so far. It holds no lock.</summary>
    public virtual void RunCallerRow()
    {
    }

    /// <summary>The same, and the call is over.</summary>
    public virtual void CloseCallerRow()
    {
    }

    /// <summary>A user is about to block the calling thread for a result.</summary>
    public virtual void AboutToBlock()
    {
    }

    /// <summary>Whether <paramref name="rule"/> is switched off: the mutant seam. Constant false, and so free, in a shipped build.</summary>
    public bool IsBroken(Rule rule) => Checks.IsSupported && BrokenRules.Contains(rule);

    /// <summary>Starts a background activity in a core place. Its faults are its own to handle: an escaping exception ends the process.</summary>
    public void Start(Func<Task> activity)
    {
        if (Checks.IsSupported)
        {
            Post(_ => _ = RunAsync(activity, this), null);
        }
        else
        {
            Post(static state => _ = RunAsync((Func<Task>)state!, null), activity);
        }
    }

    /// <summary>Awaited, continues in a user place: at once where the current one is, else after a hop.</summary>
    public UserPlaceAwaitable SwitchToUserPlace() => new(this);

    /// <summary>Awaited, continues in a core place after other work that is ready.</summary>
    public YieldAwaitable Yield() => new(this);

    /// <summary>A background activity let an exception escape. A scheduler of tests may note it; in production nobody knows what state it left.</summary>
    protected virtual void OnEscape(Exception exception) =>
        Environment.FailFast("A background activity of Penstock let an exception escape.", exception);

    private static async Task RunAsync(Func<Task> activity, Scheduler? scheduler)
    {
        try
        {
            await activity().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            (scheduler ?? Default).OnEscape(e);
        }
    }
}

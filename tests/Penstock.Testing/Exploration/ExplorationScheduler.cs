using Penstock.Execution;

namespace Penstock.Testing.Exploration;

/// <summary>The core's places and the user's as strands: what is posted runs when the exploration says.</summary>
internal sealed class ExplorationScheduler(Execution execution) : Scheduler
{
    private readonly Queue<(Action<object?> Work, object? State)> _core = new();
    private readonly Queue<(Action<object?> Work, object? State)> _user = new();

    [ThreadStatic]
    private static bool t_isCorePlace;

    public override long UnixNanoseconds => 0;

    public override long MonotonicNanoseconds => 0;

    public override bool MayTouchUserMemory => !t_isCorePlace;

    /// <summary>Starts strands that run what is posted.</summary>
    public void Serve(int core = 1, int user = 0)
    {
        for (int i = 0; i < core; i++)
        {
            execution.Start($"core {i}", () => Work(_core, isCore: true), isDaemon: true);
        }

        for (int i = 0; i < user; i++)
        {
            execution.Start($"pool {i}", () => Work(_user, isCore: false), isDaemon: true);
        }
    }

    public override void Post(Action<object?> work, object? state) => _core.Enqueue((work, state));

    public override void PostToUser(Action<object?> work, object? state) => _user.Enqueue((work, state));

    public override Alarm CreateAlarm(Action<object?> work, object? state) => new NoAlarm();

    public override void FillRandom(Span<byte> bytes) => bytes.Clear();

    public override void StartReaper(string name, Action loop) => execution.Start(name, loop, isDaemon: true);

    protected override void OnEscape(Exception exception) => execution.Fail($"an activity let {exception.GetType().Name} escape: {exception.Message}");

    private void Work(Queue<(Action<object?> Work, object? State)> queue, bool isCore)
    {
        while (true)
        {
            execution.WaitUntil(() => queue.Count > 0);
            (Action<object?> work, object? state) = queue.Dequeue();
            t_isCorePlace = isCore;
            work(state);
            t_isCorePlace = false;
        }
    }

    private sealed class NoAlarm : Alarm
    {
        public override void Set(TimeSpan delay)
        {
        }

        public override void Cancel()
        {
        }

        public override void Dispose()
        {
        }
    }
}

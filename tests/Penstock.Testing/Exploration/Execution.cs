using System.Runtime.CompilerServices;

namespace Penstock.Testing.Exploration;

/// <summary>
/// One execution of a scenario: strands that take turns as the schedule says, one at a time, and latches that are not the runtime's. It ends well when every
/// strand that is no daemon has come to its end and the rest has nothing to do, and badly when somebody waits for what can never happen.
/// </summary>
internal sealed class Execution
{
    private const int MostSteps = 4000;
    private const int MostTouches = 20_000;
    private const int MostSleeps = 400;

    [ThreadStatic]
    private static Strand? t_strand;

    private readonly StrandThreads _threads;
    private readonly Schedule _schedule;
    private readonly bool[] _isStep;
    private readonly bool[] _reached;
    private readonly List<Strand> _strands = [];
    private readonly List<Strand> _able = [];
    private readonly ConditionalWeakTable<object, Latch> _latches = [];
    private readonly Dictionary<object, Stack<object>> _pools = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Thread, Action> _bodies = [];
    private readonly ConditionalWeakTable<object, Users> _users = [];
    private readonly List<(int Strand, int Site)> _trace = [];
    private readonly List<Action> _checks = [];
    private readonly SemaphoreSlim _over = new(0);
    private int _sleeps;
    private int _touches;
    private bool _isEnding;
    private bool _isLooking;

    /// <param name="threads">Where the strands run.</param>
    /// <param name="schedule">Who goes on at each step.</param>
    /// <param name="isStep">For each site whether it is a step here; what stands at the others happens at once.</param>
    /// <param name="reached">Marked for each site that is reached and where something can be broken.</param>
    /// <param name="brokenSite">The one place that is broken, or -1.</param>
    public Execution(StrandThreads threads, Schedule schedule, bool[] isStep, bool[] reached, int brokenSite)
    {
        _reached = reached;
        _isStep = isStep;
        _threads = threads;
        _schedule = schedule;
        BrokenSite = brokenSite;
        Scheduler = new ExplorationScheduler(this);
    }

    /// <summary>The execution that runs now; null between two.</summary>
    public static Execution? Current { get; private set; }

    /// <summary>The strand that calls, or null where the caller is none.</summary>
    public static Strand? Here => Current is { _isEnding: false, _isLooking: false } ? t_strand : null;

    /// <summary>The one place in the code that is broken, or -1.</summary>
    public int BrokenSite { get; }

    public ExplorationScheduler Scheduler { get; }

    /// <summary>What went wrong, or null.</summary>
    public string? Failure { get; private set; }

    /// <summary>How many strands there are with a name.</summary>
    public int Count(string name) => _strands.Count(s => s.Name == name);

    /// <summary>A strand that exists from the beginning, or from now on.</summary>
    public void Start(string name, Action body, bool isDaemon = false)
    {
        Strand strand = _threads[_strands.Count];
        (strand.Name, strand.Body, strand.IsDaemon) = (name, () => RunStrand(strand, body), isDaemon);
        (strand.IsDone, strand.IsAsleep, strand.WaitsFor, strand.Latches, strand.Site, strand.Woken) = (false, false, null, 0, -1, 0);
        _strands.Add(strand);
        _threads.Begin(strand);
    }

    /// <summary>Looks at the end whether all is as it should be.</summary>
    public void AtEnd(Action check) => _checks.Add(check);

    public void Require(bool condition, string what)
    {
        if (!condition)
        {
            Fail(what);
        }
    }

    public void Fail(string what)
    {
        Failure ??= what;
        if (t_strand is not null && !_isEnding)
        {
            EndAll();
            throw new ExecutionEndedException();
        }
    }

    /// <summary>Something is read or written; a loop that does no more than that ends here too.</summary>
    public void Touch()
    {
        if (++_touches > MostTouches)
        {
            Fail("it does not come to an end");
        }
    }

    /// <summary>The strand uses a collection, which is not made for two at once.</summary>
    public void Uses(Strand here, object collection)
    {
        Users users = _users.GetOrCreateValue(collection);
        users.HasMany |= users.First is not null && users.First != here;
        users.First ??= here;
        users.IsUnguarded |= here.Latches == 0;
        Require(!users.HasMany || !users.IsUnguarded, "a collection is used by two, and not always under a latch");
    }

    /// <summary>Somebody else may have the turn now.</summary>
    public void Step(int site = -1)
    {
        Strand here = t_strand!;
        if (_isEnding)
        {
            throw new ExecutionEndedException();
        }

        Touch();
        if (site >= 0 && !_isStep[site])
        {
            return;
        }

        here.Site = site;
        if (_trace.Count > MostSteps)
        {
            Fail("it does not come to an end");
        }

        _trace.Add((here.Index, site));
        PassOn(here);
    }

    /// <summary>Does something as whoever owns the part under test would: under a latch of his.</summary>
    public void UnderLatch(object target, Action what)
    {
        Strand here = t_strand!;
        Latch latch = LatchOf(target);
        WaitUntil(() => latch.Owner is null);
        (latch.Owner, latch.Depth) = (here, 1);
        here.Latches++;
        what();
        here.Latches--;
        (latch.Owner, latch.Depth) = (null, 0);
    }

    /// <summary>Goes on when it is so.</summary>
    public void WaitUntil(Func<bool> isSo, int site = -1)
    {
        if (site >= 0)
        {
            Step(site);
        }

        Strand here = t_strand!;
        while (!Looks(isSo))
        {
            here.WaitsFor = isSo;
            PassOn(here);
            here.WaitsFor = null;
        }
    }

    /// <summary>Time passes for the caller alone when nobody else can go on.</summary>
    public void Sleep(int site)
    {
        Strand here = t_strand!;
        here.Site = site;
        here.IsAsleep = true;
        PassOn(here);
        here.IsAsleep = false;
    }

    public void Await(ValueTask task)
    {
        ConfiguredValueTaskAwaitable.ConfiguredValueTaskAwaiter awaiter = task.ConfigureAwait(false).GetAwaiter();
        if (!awaiter.IsCompleted)
        {
            bool isDone = false;
            awaiter.UnsafeOnCompleted(() => isDone = true);
            WaitUntil(() => isDone);
        }

        awaiter.GetResult();
    }

    public T Await<T>(ValueTask<T> task)
    {
        ConfiguredValueTaskAwaitable<T>.ConfiguredValueTaskAwaiter awaiter = task.ConfigureAwait(false).GetAwaiter();
        if (!awaiter.IsCompleted)
        {
            bool isDone = false;
            awaiter.UnsafeOnCompleted(() => isDone = true);
            WaitUntil(() => isDone);
        }

        return awaiter.GetResult();
    }

    /// <summary>Runs <paramref name="scenario"/> from its beginning to its end.</summary>
    public void Run(Action<Execution> scenario)
    {
        Current = this;
        try
        {
            scenario(this);
            PassOn(null);
            _over.Wait();
            _threads.WaitForAll();
            foreach (Action check in Failure is null ? _checks : [])
            {
                check();
            }
        }
        finally
        {
            Current = null;
        }
    }

    public Latch LatchOf(object target) => _latches.GetOrCreateValue(target);

    public Stack<object> PoolOf(object pool)
    {
        if (!_pools.TryGetValue(pool, out Stack<object>? items))
        {
            _pools[pool] = items = new Stack<object>();
        }

        return items;
    }

    public Thread Declare(Action body)
    {
        var thread = new Thread(static () => { });
        _bodies[thread] = body;
        return thread;
    }

    public void StartDeclared(Thread thread) => Start("thread", _bodies[thread], isDaemon: true);

    /// <summary>Notes that a site was reached at which something can be broken, and says whether it is.</summary>
    public bool Reaches(int site)
    {
        if (site >= 0 && _isStep[site])
        {
            _reached[site] = true;
            return BrokenSite == site;
        }

        return false;
    }

    /// <summary>The last steps, one line each.</summary>
    public string Describe(IReadOnlyList<string> sites) => string.Join('\n', _trace.TakeLast(60)
        .Select(s => $"    {_strands[s.Strand].Name}: {(s.Site < 0 ? "step of the scenario" : sites[s.Site])}"));

    private void RunStrand(Strand strand, Action body)
    {
        t_strand = strand;
        try
        {
            if (!_isEnding)
            {
                body();
            }
        }
        catch (ExecutionEndedException)
        {
        }
        catch (Exception e)
        {
            if (!_isEnding)
            {
                Failure ??= $"{e.GetType().Name}: {e.Message}";
                EndAll();
            }
        }

        strand.IsDone = true;
        if (!_isEnding)
        {
            PassOn(strand);
        }

        t_strand = null;
    }

    /// <summary>Chooses who goes on. Returns when the caller has the turn again.</summary>
    private void PassOn(Strand? from)
    {
        if (!TryChoose(from, out Strand? next))
        {
            EndAll();
        }
        else if (next != from)
        {
            next!.Go.Release();
        }
        else
        {
            return;
        }

        if (from is { IsDone: false })
        {
            from.Go.Wait();
            if (_isEnding)
            {
                throw new ExecutionEndedException();
            }
        }
    }

    /// <summary>What a condition looks at is no step.</summary>
    private bool Looks(Func<bool> isSo)
    {
        _isLooking = true;
        bool isIt = isSo();
        _isLooking = false;
        return isIt;
    }

    private bool TryChoose(Strand? from, out Strand? next)
    {
        _able.Clear();
        _isLooking = true;
        bool canStay = from is { IsAsleep: false, CanGoOn: true };
        if (canStay)
        {
            _able.Add(from!);
        }

        foreach (Strand strand in _strands)
        {
            if (strand != from && !strand.IsAsleep && strand.CanGoOn)
            {
                _able.Add(strand);
            }
        }

        _isLooking = false;
        next = null;
        if (_able.Count > 0)
        {
            next = _able[_schedule.Choose(_able.Count, isFree: !canStay)];
            return true;
        }

        if (_strands.TrueForAll(static s => s.IsDone || s.IsDaemon))
        {
            return false;
        }

        // Nobody can go on before some time has passed.
        next = _strands.Where(static s => s is { IsDone: false, IsAsleep: true }).MinBy(static s => s.Woken);
        if (next is not null && ++_sleeps < MostSleeps)
        {
            next.Woken++;
            return true;
        }

        Failure ??= $"a hang: {string.Join(", ", _strands.Where(static s => !s.IsDone && !s.IsDaemon).Select(static s => s.Name))} cannot go on";
        return false;
    }

    private void EndAll()
    {
        _isEnding = true;
        foreach (Strand strand in _strands)
        {
            strand.Go.Release();
        }

        _over.Release();
    }
}

/// <summary>Who has used a collection.</summary>
internal sealed class Users
{
    public Strand? First { get; set; }

    public bool HasMany { get; set; }

    public bool IsUnguarded { get; set; }
}

/// <summary>A latch of the exploration: who has it, and who waits to be told.</summary>
internal sealed class Latch
{
    public Strand? Owner { get; set; }

    public int Depth { get; set; }

    /// <summary>Entries that a broken build did not make.</summary>
    public int Missed { get; set; }

    public Queue<Strand> Waiting { get; } = new();

    public HashSet<Strand> Pulsed { get; } = [];
}

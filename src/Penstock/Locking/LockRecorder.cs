using System.Runtime.CompilerServices;

namespace Penstock.Locking;

/// <summary>
/// Watches every acquisition and release (Rule 1.1, invariants 3.6 and 3.7): ranks are taken in order, an operation ends holding nothing, and nothing
/// is released that is not held. Only where <see cref="Execution.Checks.IsSupported"/>; a shipped build never has one.
/// </summary>
/// <remarks>
/// No lock is owned by a thread, so holdings belong to an <em>operation</em>, which flows with its awaits. A lock that is released in
/// another context, as the direct-I/O gate is by the completion of the device, is handed over with <see cref="Disown"/> first.
/// </remarks>
internal sealed class LockRecorder
{
    private static readonly AsyncLocal<LockHoldings?> s_current = new();

    private readonly object _latch = new();
    private readonly List<string> _violations = [];
    private readonly List<LockEvent> _trace = [];

    /// <summary>Whether every event is kept in <see cref="Trace"/>.</summary>
    public bool KeepsTrace { get; set; }

    /// <summary>Told of every event as it happens.</summary>
    public Action<LockEvent>? Observer { get; set; }

    /// <summary>How much went wrong so far.</summary>
    public int ViolationCount
    {
        get
        {
            lock (_latch)
            {
                return _violations.Count;
            }
        }
    }

    /// <summary>What went wrong, in the order it was seen.</summary>
    public IReadOnlyList<string> Violations
    {
        get
        {
            lock (_latch)
            {
                return [.. _violations];
            }
        }
    }

    /// <summary>The events so far, where <see cref="KeepsTrace"/> is set.</summary>
    public IReadOnlyList<LockEvent> Trace
    {
        get
        {
            lock (_latch)
            {
                return [.. _trace];
            }
        }
    }

    /// <summary>Begins an operation: what is acquired until it ends is its own.</summary>
    public OperationScope BeginOperation(string name)
    {
        LockHoldings? outer = s_current.Value;
        var holdings = new LockHoldings(name);
        s_current.Value = holdings;
        return new OperationScope(this, holdings, outer);
    }

    /// <summary>An acquisition is asked for; called before any wait.</summary>
    public void Acquiring(LockRank rank, ulong order, object target, bool isExclusive)
    {
        LockHoldings? holdings = s_current.Value;
        if (holdings?.FindViolation(rank, order, target, isExclusive) is { } violation)
        {
            Report(violation);
        }
    }

    public void Acquired(LockRank rank, ulong order, object target, bool isExclusive)
    {
        s_current.Value?.Add(new LockHolding(rank, order, target, isExclusive));
        Record(LockEventKind.Acquired, rank, target, isExclusive);
    }

    public void Released(LockRank rank, object target, bool isExclusive)
    {
        LockHoldings? holdings = s_current.Value;
        if (holdings is not null && !holdings.Remove(rank, target))
        {
            Report($"{holdings.Name}: releases {rank} of {target}, which it does not hold");
        }

        Record(LockEventKind.Released, rank, target, isExclusive);
    }

    /// <summary>The current operation gives a lock it holds to whoever completes its request.</summary>
    public void Disown(LockRank rank, object target)
    {
        LockHoldings? holdings = s_current.Value;
        if (holdings is not null && !holdings.Remove(rank, target))
        {
            Report($"{holdings.Name}: hands over {rank} of {target}, which it does not hold");
        }
    }

    /// <summary>A lock that was handed over is released by a completion.</summary>
    public void ReleasedByCompletion(LockRank rank, object target, bool isExclusive) =>
        Record(LockEventKind.Released, rank, target, isExclusive);

    /// <summary>An event of the part under test that is no lock but belongs in the trace: "submit", "end of I/O", "publish size".</summary>
    public void Note(string text, [CallerMemberName] string member = "")
    {
        if (KeepsTrace)
        {
            lock (_latch)
            {
                _trace.Add(new LockEvent(LockEventKind.Note, default, null, IsExclusive: false, $"{member}: {text}"));
            }
        }
    }

    internal void End(LockHoldings holdings, LockHoldings? outer)
    {
        if (holdings.DescribeHeld() is { } held)
        {
            Report($"{holdings.Name}: ends holding {held}");
        }

        s_current.Value = outer;
    }

    private void Report(string violation)
    {
        lock (_latch)
        {
            _violations.Add(violation);
        }
    }

    private void Record(LockEventKind kind, LockRank rank, object target, bool isExclusive)
    {
        Observer?.Invoke(new LockEvent(kind, rank, target, isExclusive, null));
        if (KeepsTrace)
        {
            lock (_latch)
            {
                _trace.Add(new LockEvent(kind, rank, target, isExclusive, null));
            }
        }
    }
}

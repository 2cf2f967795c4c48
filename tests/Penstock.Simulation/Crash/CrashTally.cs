using Penstock.Simulation.Crash.Judging;

namespace Penstock.Simulation.Crash;

/// <summary>What was judged so far. Shared by the threads that judge.</summary>
internal sealed class CrashTally
{
    private readonly object _latch = new();
    private readonly HashSet<ulong> _volumes = [];
    private readonly HashSet<ulong> _contents = [];
    private readonly SortedDictionary<string, long> _shapes = new(StringComparer.Ordinal);
    private long _points;

    /// <summary>Moments at which the power could go.</summary>
    public long Points => Interlocked.Read(ref _points);

    /// <summary>States that were recovered and judged.</summary>
    public long States { get; private set; }

    /// <summary>Of them those that e2fsck has judged too.</summary>
    public long Outside { get; private set; }

    /// <summary>How many different volumes were recovered, their journals left out.</summary>
    public int Distinct
    {
        get
        {
            lock (_latch)
            {
                return _volumes.Count;
            }
        }
    }

    /// <summary>How many different contents were recovered: names, bytes and attributes, as a user sees them.</summary>
    public int Contents
    {
        get
        {
            lock (_latch)
            {
                return _contents.Count;
            }
        }
    }

    /// <summary>How many states there were of each kind of volume.</summary>
    public IReadOnlyDictionary<string, long> Shapes => _shapes;

    public void NotePoint() => Interlocked.Increment(ref _points);

    public void Add(CrashShape shape, Verdict verdict)
    {
        lock (_latch)
        {
            States++;
            Outside += verdict.AskedOutside ? 1 : 0;
            _volumes.Add(verdict.VolumeHash);
            _contents.Add(verdict.ContentHash);
            _shapes[shape.Name] = _shapes.GetValueOrDefault(shape.Name) + 1;
        }
    }
}

namespace Penstock.Ext4.Checking;

/// <summary>What a check has found so far: a bounded list, and counts of all. Any thread may add.</summary>
internal sealed class ProblemLog(int most)
{
    private readonly List<CheckProblem> _kept = [];
    private long _problems;
    private long _all;

    /// <summary>Problems, notes not counted.</summary>
    public long Count => Volatile.Read(ref _problems);

    public long HeldBack
    {
        get
        {
            lock (_kept)
            {
                return _all - _kept.Count;
            }
        }
    }

    public IReadOnlyList<CheckProblem> Kept
    {
        get
        {
            lock (_kept)
            {
                return [.. _kept];
            }
        }
    }

    /// <summary>Something that makes the volume inconsistent.</summary>
    public void Problem(string structure, string place, string description)
    {
        Interlocked.Increment(ref _problems);
        Add(new CheckProblem(structure, place, description, IsNote: false, IsRepaired: false));
    }

    /// <summary>Something that deserves mention and does no harm: e2fsck offers to put it right and calls the volume clean when refused.</summary>
    public void Note(string structure, string place, string description) =>
        Add(new CheckProblem(structure, place, description, IsNote: true, IsRepaired: false));

    private void Add(CheckProblem problem)
    {
        lock (_kept)
        {
            _all++;
            if (_kept.Count < most)
            {
                _kept.Add(problem);
            }
        }
    }
}

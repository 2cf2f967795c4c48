namespace Penstock.Ext4.Repairing;

/// <summary>What a repair has put right, over all its rounds: a bounded list without repetitions, and a count.</summary>
internal sealed class RepairLog(int most)
{
    private readonly List<CheckProblem> _kept = [];
    private readonly HashSet<CheckProblem> _known = [];

    /// <summary>All that was put right.</summary>
    public long Count { get; private set; }

    public IReadOnlyList<CheckProblem> Kept => _kept;

    public void Add(string structure, string place, string found)
    {
        var problem = new CheckProblem(structure, place, found, IsNote: false, IsRepaired: true);
        if (_kept.Count >= most)
        {
            Count++;
        }
        else if (_known.Add(problem))
        {
            _kept.Add(problem);
            Count++;
        }
    }
}

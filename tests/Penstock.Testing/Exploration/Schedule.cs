namespace Penstock.Testing.Exploration;

/// <summary>
/// The choices of one execution after another, depth first: at each step who goes on. To take the turn from a strand that could go on is a
/// preemption, and their number is bounded: almost every error in a lock needs one or two.
/// </summary>
internal sealed class Schedule
{
    private readonly int _most;
    private readonly List<(int Chosen, int Count)> _path = [];
    private int _at;
    private int _left;

    public Schedule(int preemptions) => _most = _left = preemptions;

    /// <summary>Which of <paramref name="count"/> strands goes on; 0 is the current one if it can.</summary>
    public int Choose(int count, bool isFree)
    {
        if (_at == _path.Count)
        {
            _path.Add((0, isFree || _left > 0 ? count : 1));
        }

        (int chosen, int most) = _path[_at++];
        if (most != (isFree || _left > 0 ? count : 1))
        {
            throw new InvalidOperationException($"Step {_at} has {count} choices where it had {most}: something outside the exploration decides.");
        }

        _left -= !isFree && chosen > 0 ? 1 : 0;
        return chosen;
    }

    /// <summary>On to the next execution; false when all have been.</summary>
    public bool MoveNext()
    {
        while (_path.Count > 0 && _path[^1].Chosen + 1 >= _path[^1].Count)
        {
            _path.RemoveAt(_path.Count - 1);
        }

        if (_path.Count > 0)
        {
            _path[^1] = (_path[^1].Chosen + 1, _path[^1].Count);
        }

        _at = 0;
        _left = _most;
        return _path.Count > 0;
    }
}

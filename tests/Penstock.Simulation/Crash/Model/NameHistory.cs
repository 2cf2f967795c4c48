using System.Collections.Immutable;

namespace Penstock.Simulation.Crash.Model;

/// <summary>
/// The names of one client, and how they were after each of its changes since the last that is known to be durable. A client changes one after the other.
/// Where metadata is journalled, changes are durable in their order; else each name stands for itself.
/// </summary>
internal sealed class NameHistory(bool isOrdered)
{
    private readonly List<ImmutableSortedDictionary<string, Node>> _states = [ImmutableSortedDictionary.Create<string, Node>(StringComparer.Ordinal)];

    /// <summary>For each node, after how many changes its own names last changed.</summary>
    private readonly Dictionary<Node, long> _changed = [];

    /// <summary>For each path, the change from which on it is known to be durable.</summary>
    private readonly Dictionary<string, long> _durable = new(StringComparer.Ordinal);

    /// <summary>For each node that was synced, how many changes had been made by then.</summary>
    private readonly Dictionary<Node, long> _synced = [];

    /// <summary>The number of the first state that is kept.</summary>
    private long _first;
    private bool _isChanging;

    /// <summary>The names as the client sees them.</summary>
    public ImmutableSortedDictionary<string, Node> Now => _states[^1];

    /// <summary>The states that a loss of power may bring back where metadata is journalled: the last durable one and all since.</summary>
    public IReadOnlyList<ImmutableSortedDictionary<string, Node>> States => _states;

    private long Last => _first + _states.Count - 1;

    /// <summary>A change of names begins.</summary>
    public void Begin(Func<ImmutableSortedDictionary<string, Node>, ImmutableSortedDictionary<string, Node>> change, params ReadOnlySpan<Node> nodes)
    {
        _states.Add(change(Now));
        _isChanging = true;
        foreach (Node node in nodes)
        {
            _changed[node] = Last;
        }
    }

    /// <summary>The change was made, or refused.</summary>
    public void End(bool isDone)
    {
        _isChanging = false;
        if (!isDone)
        {
            _states.RemoveAt(_states.Count - 1);
        }
    }

    /// <summary>How many changes a sync that begins now covers: all that have returned.</summary>
    public long BeginSync() => _isChanging ? Last - 1 : Last;

    /// <summary>A sync of one node has ended, which began after so many changes: its names are durable.</summary>
    public void EndSync(Node node, long began)
    {
        long changed = _changed.GetValueOrDefault(node);
        if (changed > began)
        {
            return;
        }

        _synced[node] = began;
        if (began >= _first)
        {
            foreach ((string path, Node named) in _states[(int)(began - _first)])
            {
                if (named == node)
                {
                    _durable[path] = Math.Max(began, _durable.GetValueOrDefault(path));
                }
            }
        }

        if (isOrdered)
        {
            Forget(changed);
        }
    }

    /// <summary>A sync of a directory has ended: so are the names in it.</summary>
    public void EndDirectorySync(string directory, long began)
    {
        if (began < _first)
        {
            return;
        }

        int at = (int)(began - _first);
        string[] names = NamesIn(directory, at);
        foreach (string path in names)
        {
            _durable[path] = Math.Max(began, _durable.GetValueOrDefault(path));
        }

        while (at > 0 && NamesIn(directory, at - 1).AsSpan().SequenceEqual(names))
        {
            at--;
        }

        if (isOrdered)
        {
            Forget(_first + at);
        }
    }

    /// <summary>A sync of everything has ended.</summary>
    public void EndSync(long began)
    {
        if (began >= _first)
        {
            foreach (string path in _states[(int)(began - _first)].Keys)
            {
                _durable[path] = Math.Max(began, _durable.GetValueOrDefault(path));
            }
        }

        Forget(began);
    }

    /// <summary>What a path may lead to where each name stands for itself: without a journal.</summary>
    public IEnumerable<Node?> CandidatesOf(string path)
    {
        long from = Math.Max(_durable.GetValueOrDefault(path), _first);
        return _states.Skip((int)(from - _first)).Select(s => s.GetValueOrDefault(path)).Distinct();
    }

    /// <summary>All paths of all states.</summary>
    public IEnumerable<string> Paths => _states.SelectMany(static s => s.Keys).Distinct(StringComparer.Ordinal);

    /// <summary>Nodes that were synced and had a name ever since: they cannot be gone.</summary>
    public IEnumerable<Node> Kept => _synced
        .Where(s => _states.Skip((int)(Math.Max(s.Value, _first) - _first)).All(t => t.ContainsValue(s.Key)))
        .Select(static s => s.Key);

    private string[] NamesIn(string directory, int state) =>
        [.. _states[state].Keys.Where(p => p.LastIndexOf('/') is var slash && p.AsSpan(0, Math.Max(slash, 1)).SequenceEqual(directory))];

    private void Forget(long durable)
    {
        if (durable > _first)
        {
            _states.RemoveRange(0, (int)(durable - _first));
            _first = durable;
        }
    }
}

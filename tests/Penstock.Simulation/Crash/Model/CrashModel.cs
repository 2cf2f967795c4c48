using Penstock.Files;

namespace Penstock.Simulation.Crash.Model;

/// <summary>What a workload has done and what it was promised: all that a loss of power at this moment may bring back.</summary>
internal sealed class CrashModel(bool isOrdered)
{
    private readonly SortedDictionary<char, NameHistory> _clients = [];
    private readonly List<Node> _nodes = [];
    private int _writes;

    /// <summary>Whether metadata is journalled: then changes are durable in their order, and nothing may show what others left on the device.</summary>
    public bool IsOrdered => isOrdered;

    /// <summary>Rises when something begins or is acknowledged.</summary>
    public long Version { get; private set; }

    /// <summary>How many promises of durability were made.</summary>
    public int Promises { get; private set; }

    public IEnumerable<NameHistory> Clients => _clients.Values;

    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>The names of a client: those whose last part begins with its letter.</summary>
    public NameHistory NamesOf(char client)
    {
        if (!_clients.TryGetValue(client, out NameHistory? names))
        {
            _clients[client] = names = new NameHistory(isOrdered);
        }

        return names;
    }

    /// <summary>The client that alone makes and removes a path; null if there is none.</summary>
    public NameHistory? OwnerOf(string path) => _clients.GetValueOrDefault(path[path.LastIndexOf('/') + 1]);

    public Node NewNode(FileKind kind, string? linkTarget = null)
    {
        var node = new Node(_nodes.Count + 1, kind) { LinkTarget = linkTarget };
        _nodes.Add(node);
        return node;
    }

    public int NewWrite() => ++_writes;

    public void Touch() => Version++;

    public void NotePromise()
    {
        Promises++;
        Version++;
    }
}

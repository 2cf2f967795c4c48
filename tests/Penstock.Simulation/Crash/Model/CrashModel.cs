using Penstock.Files;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Crash.Model;

/// <summary>What a workload has done and what it was promised: all that a loss of power at this moment may bring back.</summary>
internal sealed class CrashModel(bool isOrdered)
{
    private readonly SortedDictionary<char, NameHistory> _clients = [];
    private readonly List<Node> _nodes = [];
    private int _writes;
    private bool _hasLogMagic;

    /// <summary>Whether metadata is journalled: then changes are durable in their order, and nothing may show what others left on the device.</summary>
    public bool IsOrdered => isOrdered;

    /// <summary>Whether what nobody was promised is free of what others left on the device, too.</summary>
    public bool HidesOldBytes { get; init; }

    /// <summary>Where data goes through the log: the bytes of which a write is there as a whole or not at all, and after which comes none that began later; else 0.</summary>
    public int UnitOfData { get; init; }

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

    /// <summary>A write with bytes that look like the log's own; 0 if the run has had it: the bytes of two writes are not alike.</summary>
    public int TakeLogMagicWrite()
    {
        int write = _hasLogMagic ? 0 : Tag.LogMagicWrite;
        _hasLogMagic = true;
        return write;
    }

    public void Touch() => Version++;

    public void NotePromise()
    {
        Promises++;
        Version++;
    }
}

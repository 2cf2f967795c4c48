using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Fuse.Mounting;

/// <summary>
/// The inodes that the kernel knows. A node id is the inode's number, except that the kernel calls the root 1: root and 1 swap. Each
/// reply that carries an entry adds one look-up, FORGET takes them back, and while there are any the inode keeps one reference, so that
/// its number is not given to another file meanwhile.
/// </summary>
internal sealed class NodeTable
{
    /// <summary>FUSE_ROOT_ID.</summary>
    public const ulong RootNode = 1;

    private readonly object _lock = new();
    private readonly Dictionary<ulong, Node> _nodes = [];
    private readonly Inode _root;
    private readonly ulong _rootNumber;

    /// <param name="root">The root, which the kernel knows without a look-up; its reference is the caller's.</param>
    public NodeTable(Inode root)
    {
        _root = root;
        _rootNumber = root.Number.Value;
    }

    /// <summary>Nodes that the kernel knows, the root not counted.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _nodes.Count;
            }
        }
    }

    /// <summary>The kernel's name for an inode: its number, but that the root's and <see cref="RootNode"/> change places.</summary>
    public ulong ToNode(InodeNumber number) =>
        number.Value == _rootNumber ? RootNode : number.Value == RootNode ? _rootNumber : number.Value;

    /// <summary>The number of the inode that the kernel names so, whether it is known here or not.</summary>
    public InodeNumber ToNumber(ulong node) => new(ToNode(new InodeNumber(node)));

    /// <summary>The inode that the kernel means.</summary>
    /// <exception cref="FileSystemException">Stale: the kernel has forgotten it, or never knew it.</exception>
    public Inode this[ulong node]
    {
        get
        {
            if (node == RootNode)
            {
                return _root;
            }

            lock (_lock)
            {
                return _nodes.TryGetValue(node, out Node? known) ? known.Inode : throw new FileSystemException(IoFault.Stale);
            }
        }
    }

    /// <summary>Counts one look-up, and takes over the caller's reference to the inode.</summary>
    /// <returns>Whether the reference is still the caller's to release: the table had one already.</returns>
    public bool AddLookup(Inode inode)
    {
        if (ReferenceEquals(inode, _root))
        {
            return true;
        }

        lock (_lock)
        {
            ulong node = ToNode(inode.Number);
            if (_nodes.TryGetValue(node, out Node? known))
            {
                known.Lookups++;
                return true;
            }

            _nodes.Add(node, new Node(inode) { Lookups = 1 });
            return false;
        }
    }

    /// <summary>Takes look-ups back.</summary>
    /// <returns>The inode whose reference the caller must release now, or null.</returns>
    public Inode? Forget(ulong node, ulong lookups)
    {
        lock (_lock)
        {
            if (node == RootNode || !_nodes.TryGetValue(node, out Node? known))
            {
                return null;
            }

            known.Lookups -= Math.Min(lookups, known.Lookups);
            if (known.Lookups > 0)
            {
                return null;
            }

            _nodes.Remove(node);
            return known.Inode;
        }
    }

    /// <summary>Forgets everything: the mount is gone. The references are the caller's to release.</summary>
    public IReadOnlyList<Inode> ForgetAll()
    {
        lock (_lock)
        {
            Inode[] inodes = [.. _nodes.Values.Select(static node => node.Inode)];
            _nodes.Clear();
            return inodes;
        }
    }

    private sealed class Node(Inode inode)
    {
        public Inode Inode => inode;

        public ulong Lookups { get; set; }
    }
}

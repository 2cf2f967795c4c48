namespace Penstock.Files;

/// <summary>The files of a volume out of which blocks are being taken: a sync of the volume waits for them, since what they have dropped of the cache it cannot write.</summary>
internal sealed class RemovalList
{
    private readonly object _latch = new();
    private readonly List<Inode> _inodes = [];

    public void Add(Inode inode)
    {
        lock (_latch)
        {
            _inodes.Add(inode);
        }
    }

    public void Remove(Inode inode)
    {
        lock (_latch)
        {
            _inodes.Remove(inode);
        }
    }

    /// <summary>Those of this moment.</summary>
    public Inode[] Snapshot()
    {
        lock (_latch)
        {
            return _inodes.Count == 0 ? [] : [.. _inodes];
        }
    }
}

using Penstock.Locking;

namespace Penstock.Files;

/// <summary>
/// The inode locks of one operation, held exclusively: directories by number, then other inodes by number. Numbers and not the tree give the
/// order, so that a damaged volume whose directories contain each other cannot make operations wait in a circle.
/// </summary>
internal sealed class InodeLockSet
{
    private const int MaxInodes = 5;

    private readonly Inode[] _inodes = new Inode[MaxInodes];
    private int _count;
    private int _held;

    /// <summary>Adds an inode to be locked; null and an inode that is in the set already change nothing.</summary>
    public void Add(Inode? inode)
    {
        if (inode is null || Array.IndexOf(_inodes, inode, 0, _count) >= 0)
        {
            return;
        }

        int place = _count++;
        while (place > 0 && IsBefore(inode, _inodes[place - 1]))
        {
            _inodes[place] = _inodes[place - 1];
            place--;
        }

        _inodes[place] = inode;
    }

    public async ValueTask AcquireAsync()
    {
        while (_held < _count)
        {
            await _inodes[_held].Lock.AcquireExclusiveAsync().ConfigureAwait(false);
            _held++;
        }
    }

    public void Release()
    {
        while (_held > 0)
        {
            _inodes[--_held].Lock.ReleaseExclusive();
        }
    }

    private static bool IsBefore(Inode a, Inode b)
    {
        LockRank rankOfA = a.Lock.Rank;
        LockRank rankOfB = b.Lock.Rank;
        return rankOfA != rankOfB ? rankOfA < rankOfB : a.Number.Value < b.Number.Value;
    }
}

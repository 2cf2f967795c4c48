using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>
/// All inodes of a volume that are in memory: at most one object for each. References keep an inode; without any it stays for
/// the next look-up until there are too many, or is deleted if it has no name any more.
/// </summary>
internal sealed class InodeTable(FileSystem fileSystem)
{
    private readonly object _latch = new();
    private readonly Dictionary<InodeNumber, Inode> _inodes = [];
    private readonly Dictionary<InodeNumber, Task<Inode>> _loading = [];
    private readonly LinkedList<Inode> _dirty = [];

    public FileSystem FileSystem => fileSystem;

    public void AddDirty(Inode inode)
    {
        lock (_latch)
        {
            _dirty.AddLast(inode);
        }
    }

    public ValueTask ReleaseAsync(Inode inode) => throw new NotImplementedException();
}

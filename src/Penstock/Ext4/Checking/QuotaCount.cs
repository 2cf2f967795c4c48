using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>What each user, group and project uses, as counted. Any thread may add.</summary>
internal sealed class QuotaCount
{
    private readonly Dictionary<uint, (ulong Inodes, ulong Bytes)>[] _uses = [[], [], []];

    public void Add(InodeRecord inode, ulong bytes)
    {
        lock (_uses)
        {
            AddTo(QuotaKind.User, inode.Uid, bytes);
            AddTo(QuotaKind.Group, inode.Gid, bytes);
            AddTo(QuotaKind.Project, inode.ProjectId, bytes);
        }
    }

    public IReadOnlyDictionary<uint, (ulong Inodes, ulong Bytes)> Of(QuotaKind kind) => _uses[(int)kind];

    private void AddTo(QuotaKind kind, uint id, ulong bytes)
    {
        (ulong inodes, ulong before) = _uses[(int)kind].GetValueOrDefault(id);
        _uses[(int)kind][id] = (inodes + 1, before + bytes);
    }
}

using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>What the inode pass learned of an inode.</summary>
[Flags]
internal enum InodeTraits : byte
{
    None = 0,
    KindMask = 0x07, // DirectoryFileType
    InUse = 0x08,
    Bad = 0x10, // in use, and nothing that a name may lead to
    Encrypted = 0x20,
    AttributeValue = 0x40,
    NotScanned = 0x80, // claimed by a name, in the unused part of a table
}

/// <summary>
/// What is known of each inode in use: its kind, its own link count, and the links counted. Memory is taken for the groups that have inodes. In the
/// inode pass a group belongs to one activity; later passes count with interlocked additions.
/// </summary>
internal sealed class InodeUse(uint groupCount, uint inodesPerGroup)
{
    private readonly Group?[] _groups = new Group?[groupCount];

    public void Set(uint inode, InodeTraits traits, ushort links)
    {
        (uint group, uint index) = Math.DivRem(inode - 1, inodesPerGroup);
        Group found = _groups[group] ??= new Group(inodesPerGroup);
        found.Traits[index] = traits;
        found.Links[index] = links;
    }

    public InodeTraits TraitsOf(uint inode)
    {
        (uint group, uint index) = Math.DivRem(inode - 1, inodesPerGroup);
        return _groups[group] is { } found ? found.Traits[index] : InodeTraits.None;
    }

    public bool IsUsed(uint inode) => (TraitsOf(inode) & InodeTraits.InUse) != 0;

    public DirectoryFileType KindOf(uint inode) => (DirectoryFileType)(TraitsOf(inode) & InodeTraits.KindMask);

    public void AddTraits(uint inode, InodeTraits more)
    {
        (uint group, uint index) = Math.DivRem(inode - 1, inodesPerGroup);
        (_groups[group] ??= new Group(inodesPerGroup)).Traits[index] |= more;
    }

    public ushort LinksOf(uint inode)
    {
        (uint group, uint index) = Math.DivRem(inode - 1, inodesPerGroup);
        return _groups[group] is { } found ? found.Links[index] : (ushort)0;
    }

    /// <summary>Counts a name that leads to an inode, and returns how many did before.</summary>
    public int Count(uint inode)
    {
        (uint group, uint index) = Math.DivRem(inode - 1, inodesPerGroup);
        return _groups[group] is { } found ? Interlocked.Increment(ref found.Counted[index]) - 1 : 0;
    }

    public int CountedOf(uint inode)
    {
        (uint group, uint index) = Math.DivRem(inode - 1, inodesPerGroup);
        return _groups[group] is { } found ? found.Counted[index] : 0;
    }

    public bool IsGroupEmpty(uint group) => _groups[group] is null;

    private sealed class Group(uint inodes)
    {
        public readonly InodeTraits[] Traits = new InodeTraits[inodes];
        public readonly ushort[] Links = new ushort[inodes];
        public readonly int[] Counted = new int[inodes];
    }
}

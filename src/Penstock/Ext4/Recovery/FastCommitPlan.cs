using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Ext4.Recovery;

/// <summary>
/// What fast commits come to: for each inode the last record of it and the changes of its map, for each name where it leads in the end. How it came to
/// that does not matter, since all of it takes effect at once.
/// </summary>
internal sealed class FastCommitPlan
{
    private readonly SortedDictionary<uint, FastCommitInode> _inodes = [];
    private readonly Dictionary<(uint Directory, FileName Name), uint> _names = [];

    /// <exception cref="CorruptVolumeException">A piece cannot be.</exception>
    public FastCommitPlan(IReadOnlyList<FastCommitTag> tags)
    {
        foreach (FastCommitTag tag in tags)
        {
            Add(tag);
        }
    }

    /// <summary>The inodes that change, by their number.</summary>
    public IReadOnlyDictionary<uint, FastCommitInode> Inodes => _inodes;

    /// <summary>Where names lead in the end; to inode 0 if they are gone. Ordered, so that every recovery makes the same of it.</summary>
    public IEnumerable<(uint Directory, FileName Name, uint Inode)> Names => _names
        .Select(n => (n.Key.Directory, n.Key.Name, n.Value))
        .OrderBy(n => n.Directory).ThenBy(n => Convert.ToHexString(n.Name.Bytes), StringComparer.Ordinal);

    private void Add(FastCommitTag tag)
    {
        FastCommitInode inode = Get(tag.Inode);
        switch (tag.Type)
        {
            case FastCommitTagType.AddRange:
                inode.Ranges.Add(tag.AddedRun);
                break;
            case FastCommitTagType.DeleteRange:
                inode.Ranges.Add(tag.RemovedRun);
                break;
            case FastCommitTagType.Inode:
                inode.Take(tag.Record);
                break;
            case FastCommitTagType.Create:
                Create(tag, inode);
                break;
            case FastCommitTagType.Link:
                inode.LinkDelta++;
                _names[(tag.Directory, FileName.From(tag.Name))] = tag.Inode;
                break;
            default:
                inode.LinkDelta--;
                _names[(tag.Directory, FileName.From(tag.Name))] = 0;
                break;
        }
    }

    /// <summary>An inode has been made: what was said of an earlier one of that number no longer counts. Its record came before, and counts the name.</summary>
    private void Create(FastCommitTag tag, FastCommitInode inode)
    {
        if (inode.Record is null)
        {
            throw new CorruptVolumeException("fast commit", $"inode {tag.Inode}", "fc_tag", "one that was made, without its record");
        }

        inode.BeginNew(tag.Directory);
        foreach ((uint directory, FileName name) in _names.Keys.Where(n => n.Directory == tag.Inode).ToArray())
        {
            _names.Remove((directory, name));
        }

        _names[(tag.Directory, FileName.From(tag.Name))] = tag.Inode;
    }

    private FastCommitInode Get(uint number)
    {
        if (!_inodes.TryGetValue(number, out FastCommitInode? inode))
        {
            _inodes.Add(number, inode = new FastCommitInode(number));
        }

        return inode;
    }
}

/// <summary>What fast commits say of one inode.</summary>
internal sealed class FastCommitInode(uint number)
{
    private const int ModeOffset = 0x00;
    private const int LinksOffset = 0x1A;
    private const int GenerationOffset = 0x64;
    private const ushort KindMask = 0xF000;

    private int _rangesOfOthers;

    public InodeNumber Number => new(number);

    /// <summary>The first bytes of the inode as it was last told, or null.</summary>
    public ReadOnlyMemory<byte>? Record { get; private set; }

    /// <summary>Whether it was made in a fast commit.</summary>
    public bool IsMade { get; private set; }

    /// <summary>The directory it was made in.</summary>
    public uint Parent { get; private set; }

    /// <summary>Changes of the map, in their order: holes are blocks that go.</summary>
    public List<BlockRun> Ranges { get; } = [];

    /// <summary>Names that it has won or lost since <see cref="Record"/>, or in all.</summary>
    public int LinkDelta { get; set; }

    /// <summary>i_mode's kind in the record.</summary>
    public InodeKind Kind => (InodeKind)(LittleEndian.U16(Record!.Value.Span, ModeOffset) & KindMask);

    /// <summary>Takes the inode's newest record.</summary>
    public void Take(ReadOnlyMemory<byte> record)
    {
        if (Record is { } before && LittleEndian.U32(before.Span, GenerationOffset) != LittleEndian.U32(record.Span, GenerationOffset))
        {
            // The number may have been given to a new inode: if so, that is said next.
            _rangesOfOthers = Ranges.Count;
        }

        (Record, LinkDelta) = (record, 0);
    }

    /// <summary>The inode has just been made.</summary>
    public void BeginNew(uint parent)
    {
        Ranges.RemoveRange(0, _rangesOfOthers);
        (IsMade, Parent, _rangesOfOthers) = (true, parent, 0);
    }

    /// <summary>How many names it has in the end, <paramref name="before"/> being how many it had if no record says.</summary>
    public int LinksAfter(int before)
    {
        int told = Record is { } record ? LittleEndian.U16(record.Span, LinksOffset) : before;
        return Math.Max(told + LinkDelta, 0);
    }
}

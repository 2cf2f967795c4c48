namespace Penstock.Ext4.Checking;

/// <summary>A block of a directory, as the inode pass found it.</summary>
internal readonly record struct DirectoryPlace(ulong Volume, uint Index);

/// <summary>A directory in use.</summary>
internal sealed class DirectoryRecord
{
    public required uint Inode { get; init; }

    public required uint Generation { get; init; }

    public required Format.InodeFlags Flags { get; init; }

    /// <summary>Blocks of its size.</summary>
    public required uint SizeInBlocks { get; init; }

    /// <summary>Its blocks by their place; null if its contents lie in the inode.</summary>
    public required DirectoryPlace[]? Places { get; init; }

    /// <summary>The contents of a directory in its inode: the part in i_block, and that in the attribute.</summary>
    public (byte[] First, byte[] Second)? Inline { get; init; }

    /// <summary>The directory that has a name for it; 0 until one is found.</summary>
    public uint Parent;

    /// <summary>What its ".." says.</summary>
    public uint DotDot;

    /// <summary>For the connectivity pass: the number of the walk that came by last.</summary>
    public int Walk;
}

/// <summary>All directories, by rising inode number once <see cref="Sort"/> was called.</summary>
internal sealed class DirectoryRecords
{
    private readonly List<DirectoryRecord> _all = [];
    private DirectoryRecord[] _sorted = [];

    public ReadOnlySpan<DirectoryRecord> Sorted => _sorted;

    public int Count => _sorted.Length;

    public DirectoryRecord this[int index] => _sorted[index];

    public void Add(DirectoryRecord record)
    {
        lock (_all)
        {
            _all.Add(record);
        }
    }

    public void Sort()
    {
        _sorted = [.. _all];
        _all.Clear();
        Array.Sort(_sorted, static (a, b) => a.Inode.CompareTo(b.Inode));
    }

    public DirectoryRecord? Find(uint inode)
    {
        int low = 0;
        int high = _sorted.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            uint found = _sorted[middle].Inode;
            if (found == inode)
            {
                return _sorted[middle];
            }

            (low, high) = found < inode ? (middle + 1, high) : (low, middle - 1);
        }

        return null;
    }
}

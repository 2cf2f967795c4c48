using Penstock.Ext4.Checking;
using Penstock.Ext4.Directories;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Memory;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Repairing;

/// <summary>Changes of directories that need more than the block at hand: collected while blocks are judged, carried out afterwards. Used by one activity.</summary>
internal sealed class DirectoryChanges(CheckRun run, Repair repair)
{
    private const uint RootInode = 2;

    private readonly SortedSet<uint> _unindexed = [];
    private readonly SortedSet<uint> _closed = [];
    private readonly SortedSet<uint> _widened = [];
    private readonly SortedSet<uint> _furnished = [];
    private readonly List<DirectoryRecord> _inline = [];
    private readonly List<(uint Directory, SavedName Name)> _names = [];
    private readonly Dictionary<uint, int> _firstWithRoom = [];

    /// <summary>Has a directory lose its index: its blocks are read one by one from then on.</summary>
    public void Unindex(uint directory) => _unindexed.Add(directory);

    /// <summary>Has the holes of a directory closed.</summary>
    public void Close(uint directory) => _closed.Add(directory);

    /// <summary>Has the part of an inode table that counts as unused end behind it.</summary>
    public void Widen(uint group) => _widened.Add(group);

    /// <summary>Has a directory without a block get its first, with nothing in it.</summary>
    public void Furnish(uint directory) => _furnished.Add(directory);

    /// <summary>Has the changed contents of a directory in its inode stored.</summary>
    public void StoreInline(DirectoryRecord directory) => _inline.Add(directory);

    /// <summary>Has a name added that had no room in its own block.</summary>
    public void AddLater(uint directory, SavedName name) => _names.Add((directory, name));

    /// <summary>Carries out what was collected.</summary>
    public async ValueTask RunAsync()
    {
        foreach (uint group in _widened)
        {
            await WidenNowAsync(group).ConfigureAwait(false);
        }

        foreach (DirectoryRecord directory in _inline)
        {
            await StoreInlineNowAsync(directory).ConfigureAwait(false);
        }

        foreach (uint directory in _unindexed.Union(_closed).Order())
        {
            await UnindexNowAsync(directory).ConfigureAwait(false);
        }

        foreach (uint directory in _furnished)
        {
            await FurnishNowAsync(directory).ConfigureAwait(false);
        }

        foreach (uint directory in _closed)
        {
            await CloseNowAsync(directory).ConfigureAwait(false);
        }

        foreach ((uint directory, SavedName name) in _names)
        {
            await AddAsync(directory, name).ConfigureAwait(false);
        }
    }

    /// <summary>Makes the whole table of a group one that is read.</summary>
    public async ValueTask WidenNowAsync(uint group)
    {
        run.Descriptors[group].UnusedInodes = 0;
        run.Descriptors[group].Flags &= ~GroupFlags.InodeUninit;
        await repair.WriteDescriptorAsync(group).ConfigureAwait(false);
    }

    /// <summary>Adds a name to a directory, in a new block if there is no room.</summary>
    /// <returns>False if there is no free block either.</returns>
    public async ValueTask<bool> AddAsync(uint directory, SavedName name)
    {
        using var peek = new InodePeek(run);
        if (await peek.ReadAsync(directory).ConfigureAwait(false) is not { IsDirectory: true } inode || inode.Is(InodeFlags.InlineContents))
        {
            return false;
        }

        if (inode.Is(InodeFlags.Index))
        {
            await UnindexNowAsync(directory).ConfigureAwait(false);
            inode.Flags &= ~InodeFlags.Index;
        }

        var map = new FileMap(run, repair, directory);
        await map.LoadAsync(inode).ConfigureAwait(false);
        uint seed = run.Checksum.IsUsed ? run.Checksum.SeedOf(new InodeNumber(directory), inode.Generation) : 0;
        DirectoryFileType kind = run.Has(IncompatFeatures.FileType) ? run.Inodes.KindOf(name.Inode) : DirectoryFileType.Unknown;
        SavedName kept = name with { Kind = kind };
        return await TryAddToBlocksAsync(map, directory, kept, seed).ConfigureAwait(false)
            || await AppendAsync(map, directory, inode, kept, seed).ConfigureAwait(false);
    }

    private int EndOf() => run.BlockSize - (run.Checksum.IsUsed ? DirectoryTail.Size : 0);

    private async ValueTask<bool> TryAddToBlocksAsync(FileMap map, uint directory, SavedName name, uint seed)
    {
        using AlignedBuffer block = run.Store.Allocate(1);
        int index = 0;
        foreach (MapRun part in map.Runs)
        {
            for (ulong i = 0; i < part.Count; i++, index++)
            {
                if (index < _firstWithRoom.GetValueOrDefault(directory)
                    || !await run.Store.ReadAsync(part.Volume + i, 1, block.Segment).ConfigureAwait(false))
                {
                    continue;
                }

                if (TryAdd(block.GetSpan(), name, seed))
                {
                    await repair.WriteAsync(part.Volume + i, block.Segment).ConfigureAwait(false);
                    return true;
                }

                _firstWithRoom[directory] = index + 1;
            }
        }

        return false;
    }

    private bool TryAdd(Span<byte> block, SavedName name, uint seed)
    {
        bool isSound = DirectorySalvage.IsWhole(block, EndOf(), 0) && (!run.Checksum.IsUsed || DirectoryTail.IsPresent(block));
        if (!isSound || !EntryBlock.TryAdd(block[..EndOf()], name.Name, name.Inode, name.Kind))
        {
            return false;
        }

        if (run.Checksum.IsUsed)
        {
            DirectoryTail.Write(block, seed);
        }

        return true;
    }

    private async ValueTask<bool> AppendAsync(FileMap map, uint directory, InodeRecord inode, SavedName name, uint seed)
    {
        ulong index = map.Runs.Count == 0 ? 0 : map.Runs[^1].End;
        if (TakeBlock(map, index) is not { } place)
        {
            return false;
        }

        byte[] block = new byte[run.BlockSize];
        DirectoryEntry.Write(block, 0, name.Inode, EndOf(), name.Name, name.Kind);
        if (run.Checksum.IsUsed)
        {
            DirectoryTail.Write(block, seed);
        }

        await repair.WriteAsync(place, block).ConfigureAwait(false);
        map.Runs.Add(new MapRun(index, place, 1, false));
        if (!await map.StoreAsync(inode, inode.AttributeBlock.Value != 0 ? 1u : 0u).ConfigureAwait(false))
        {
            return false;
        }

        inode.Size = (index + 1) * (ulong)run.BlockSize;
        await repair.WriteInodeAsync(directory, inode).ConfigureAwait(false);
        return true;
    }

    /// <summary>A block for a place in a file: in the cluster that its neighbour has, or in a new one.</summary>
    private ulong? TakeBlock(FileMap map, ulong index)
    {
        ulong within = index & ((1UL << run.Geometry.LogClusterRatio) - 1);
        if (within != 0 && map.Runs.Count > 0 && map.Runs[^1].End == index)
        {
            return map.Runs[^1].Volume + map.Runs[^1].Count;
        }

        return repair.TakeCluster(0) is { } cluster ? cluster + within : null;
    }

    private async ValueTask UnindexNowAsync(uint directory)
    {
        using var peek = new InodePeek(run);
        if (await peek.ReadAsync(directory).ConfigureAwait(false) is { } inode && inode.Is(InodeFlags.Index))
        {
            inode.Flags &= ~InodeFlags.Index;
            await repair.WriteInodeAsync(directory, inode).ConfigureAwait(false);
        }
    }

    /// <summary>Moves blocks behind a hole to its place in the file; where clusters forbid that, the hole gets blocks.</summary>
    private async ValueTask CloseNowAsync(uint directory)
    {
        using var peek = new InodePeek(run);
        var map = new FileMap(run, repair, directory);
        if (await peek.ReadAsync(directory).ConfigureAwait(false) is not { } inode || !await map.LoadAsync(inode).ConfigureAwait(false))
        {
            return;
        }

        ulong next = 0;
        for (int i = 0; i < map.Runs.Count; i++)
        {
            MapRun part = map.Runs[i];
            if (run.Geometry.LogClusterRatio > 0 && part.File > next)
            {
                // The cluster of a hole's first block is the neighbour's or none; what lies behind the hole is given up to be found again.
                map.Runs.RemoveRange(i, map.Runs.Count - i);
                break;
            }

            map.Runs[i] = part with { File = next };
            next += part.Count;
        }

        if (await map.StoreAsync(inode, inode.AttributeBlock.Value != 0 ? 1u : 0u).ConfigureAwait(false))
        {
            inode.Size = next * (ulong)run.BlockSize;
            await repair.WriteInodeAsync(directory, inode).ConfigureAwait(false);
        }
    }

    private async ValueTask FurnishNowAsync(uint directory)
    {
        using var peek = new InodePeek(run);
        if (await peek.ReadAsync(directory).ConfigureAwait(false) is not { } inode)
        {
            return;
        }

        inode.Flags &= ~InodeFlags.Index;
        if (repair.TakeCluster(0) is not { } place)
        {
            await repair.RemoveInodeAsync(directory, inode).ConfigureAwait(false);
            return;
        }

        var map = new FileMap(run, repair, directory);
        map.Runs.Add(new MapRun(0, place, 1, false));
        await map.StoreAsync(inode, inode.AttributeBlock.Value != 0 ? 1u : 0u).ConfigureAwait(false);
        inode.Size = (ulong)run.BlockSize;
        await repair.LostAndFound.WriteFirstBlockAsync(directory, RootInode, place, inode.Generation).ConfigureAwait(false);
        await repair.WriteInodeAsync(directory, inode).ConfigureAwait(false);
    }

    private async ValueTask StoreInlineNowAsync(DirectoryRecord directory)
    {
        using var peek = new InodePeek(run);
        using var attributes = new AttributeCheck(run);
        if (directory.Inline is not { } inline || await peek.ReadAsync(directory.Inode).ConfigureAwait(false) is not { } inode)
        {
            return;
        }

        await attributes.CheckInodeAsync(inode, directory.Inode).ConfigureAwait(false);
        inline.First.CopyTo(inode.BlockField);
        if (inline.Second.Length > 0 && inline.Second.Length == attributes.InlineLength)
        {
            inline.Second.CopyTo(inode.Bytes[attributes.InlineOffset..]);
            FixHash(inode.Bytes[(InodeRecord.MinSize + inode.ExtraSize + 4)..]);
        }

        await repair.WriteInodeAsync(directory.Inode, inode).ConfigureAwait(false);
    }

    /// <summary>The hash of system.data, where it has one, follows its value.</summary>
    private static void FixHash(Span<byte> area)
    {
        for (int offset = 0; area.Length - offset >= AttributeEntry.HeaderSize && U32(area, offset) != 0;)
        {
            AttributeEntry entry = AttributeEntry.Read(area, offset);
            ReadOnlySpan<byte> name = entry.NameIn(area);
            if (entry.Namespace == AttributeNamespace.System && name.SequenceEqual("data"u8) && entry.Hash != 0)
            {
                U32(area, offset + 12, AttributeEntry.ComputeHash(name, area.Slice(entry.ValueOffset, (int)entry.ValueSize))); // e_hash
            }

            offset += AttributeEntry.LengthFor(entry.NameLength);
        }
    }
}

using Penstock.Ext4.Format;
using Penstock.Journal;

namespace Penstock.Ext4.Directories;

/// <summary>
/// Making room in a hash tree, one step at a time: each step leaves a whole tree, so that a step that fails for want of space undoes nothing.
/// The directory's lock is held exclusively.
/// </summary>
internal sealed class HashTreeGrowth(DirectoryFile file, HashTree tree)
{
    /// <summary>
    /// Takes one step towards room for a name in the leaf of <paramref name="path"/>: packs the leaf, splits it, or if there is no place in the
    /// index for one leaf more, splits a block of the index or adds a level. The path is not valid afterwards.
    /// </summary>
    /// <exception cref="FileSystemException">NoSpace: of blocks, or of levels.</exception>
    public async ValueTask StepAsync(Handle handle, HashPath path, int nameLength)
    {
        if (!path.Bottom.IsFull)
        {
            await SplitLeafAsync(handle, path, nameLength).ConfigureAwait(false);
            return;
        }

        int level = path.Depth - 1;
        while (level >= 0 && path[level].IsFull)
        {
            level--;
        }

        if (level >= 0)
        {
            await SplitNodeAsync(handle, path[level], path[level + 1]).ConfigureAwait(false);
        }
        else if (path.Root.IndirectLevels < DxRoot.MaxIndirectLevels(file.Volume.Superblock.Has(IncompatFeatures.LargeDir)))
        {
            await AddLevelAsync(handle, path).ConfigureAwait(false);
        }
        else
        {
            throw new FileSystemException(IoFault.NoSpace, $"{file.Inode}: the index of the directory is full");
        }
    }

    /// <summary>
    /// Turns a directory of one block into an indexed one: its entries move to a leaf, and block 0 becomes the root over it.
    /// </summary>
    public async ValueTask PlantAsync(Handle handle, MetadataBlock first)
    {
        (MetadataBlock leaf, uint index) = await file.AppendAsync(handle).ConfigureAwait(false);
        try
        {
            byte[] old = first.Bytes.ToArray();
            List<HashedEntry> entries = Collect(old, file.Volume.Superblock.DefaultHashVersion);
            DirectoryEntry self = DirectoryEntry.Read(old, 0);
            DirectoryEntry parent = DirectoryEntry.Read(old, self.End);
            if (self.RecordLength != DirectoryEntry.LengthFor(1) || !parent.NameIn(old).SequenceEqual(".."u8))
            {
                throw new CorruptVolumeException("directory block", file.LocationOf(first).ToString(), "name", "not \".\" and \"..\" at its start");
            }

            WriteLeaf(handle, leaf, old, entries);
            WriteRoot(handle, first, parent.Inode, index);
            file.Inode.SetFlags(InodeFlags.Index, InodeFlags.None);
            file.ForgetRoot();
        }
        finally
        {
            leaf.Unpin();
        }
    }

    private void WriteRoot(Handle handle, MetadataBlock block, uint parent, uint leaf)
    {
        int selfLength = DirectoryEntry.LengthFor(1);
        bool hasType = file.Format.HasFileType;
        DirectoryFileType type = hasType ? DirectoryFileType.Directory : DirectoryFileType.Unknown;
        using BlockEdit edit = handle.Edit(block);
        Span<byte> bytes = edit.Bytes;
        bytes[(selfLength + selfLength)..].Clear();
        DirectoryEntry.Write(bytes, selfLength, parent, bytes.Length - selfLength, ".."u8, type);
        new DxRoot(file.Volume.Superblock.DefaultHashVersion, 0).WriteTo(bytes);
        int limit = DxNode.LimitOf(bytes.Length, DxRoot.EntriesOffset, file.Format.HasChecksum);
        DxNode.WriteCountAndLimit(bytes, DxRoot.EntriesOffset, 1, limit);
        DxNode.Write(bytes, DxRoot.EntriesOffset, 0, new DxEntry(0, leaf));
        file.SealIndex(bytes, DxRoot.EntriesOffset);
    }

    private async ValueTask SplitLeafAsync(Handle handle, HashPath path, int nameLength)
    {
        MetadataBlock leaf = await tree.GetLeafAsync(path).ConfigureAwait(false);
        try
        {
            byte[] old = leaf.Bytes.ToArray();
            List<HashedEntry> entries = Collect(old, path.Root.HashVersion);
            int needed = DirectoryEntry.LengthFor(nameLength);
            if (entries.Sum(static e => e.Entry.NeededLength) + needed <= file.UsableBytes)
            {
                WriteLeaf(handle, leaf, old, entries);
                return;
            }

            RequireInRange(path, leaf, entries);
            (MetadataBlock half, uint index) = await file.AppendAsync(handle).ConfigureAwait(false);
            int split = FindSplit(entries);
            uint hash = entries[split].Hash.Major;
            uint continued = hash == entries[split - 1].Hash.Major ? HashTree.ContinuedBit : 0;
            WriteLeaf(handle, half, old, entries[split..]);
            half.Unpin();
            InsertIndex(handle, path.Bottom, new DxEntry(hash | continued, index));
            WriteLeaf(handle, leaf, old, entries[..split]);
        }
        finally
        {
            leaf.Unpin();
        }
    }

    /// <summary>A leaf with names that belong elsewhere would make an index out of order.</summary>
    private void RequireInRange(HashPath path, MetadataBlock leaf, List<HashedEntry> entries)
    {
        uint low = path.Bottom.Current.Hash & ~HashTree.ContinuedBit;
        uint high = HashTree.PeekNext(path) ?? uint.MaxValue;
        if (entries.Count < 2 || entries[0].Hash.Major < low || entries[^1].Hash.Major > high)
        {
            throw new CorruptVolumeException(
                "directory block", file.LocationOf(leaf).ToString(), "name", $"with a hash outside 0x{low:x8} to 0x{high:x8} of the index");
        }
    }

    /// <summary>Where the second half, by size, begins: at least one entry before and one after.</summary>
    private int FindSplit(List<HashedEntry> entries)
    {
        int size = 0;
        int split = entries.Count;
        while (split > 1 && size + (entries[split - 1].Entry.NeededLength / 2) <= file.BlockSize / 2)
        {
            size += entries[--split].Entry.NeededLength;
        }

        return Math.Min(split, entries.Count - 1);
    }

    private async ValueTask SplitNodeAsync(Handle handle, HashFrame parent, HashFrame node)
    {
        (MetadataBlock half, uint index) = await file.AppendAsync(handle).ConfigureAwait(false);
        try
        {
            byte[] old = node.Block.Bytes.ToArray();
            int count = node.EntryCount;
            int split = count / 2;
            uint hash = DxNode.Read(old, node.EntriesOffset, split).Hash;
            WriteNode(handle, half, old, node.EntriesOffset, split, count - split);
            InsertIndex(handle, parent, new DxEntry(hash, index));
            using BlockEdit edit = handle.Edit(node.Block);
            DxNode.WriteCountAndLimit(edit.Bytes, node.EntriesOffset, split, DxNode.ReadLimit(old, node.EntriesOffset));
            file.SealIndex(edit.Bytes, node.EntriesOffset);
        }
        finally
        {
            half.Unpin();
        }
    }

    private async ValueTask AddLevelAsync(Handle handle, HashPath path)
    {
        (MetadataBlock node, uint index) = await file.AppendAsync(handle).ConfigureAwait(false);
        try
        {
            MetadataBlock root = path[0].Block;
            byte[] old = root.Bytes.ToArray();
            WriteNode(handle, node, old, DxRoot.EntriesOffset, 0, path[0].EntryCount);
            using BlockEdit edit = handle.Edit(root);
            (path.Root with { IndirectLevels = (byte)(path.Root.IndirectLevels + 1) }).WriteTo(edit.Bytes);
            DxNode.WriteCountAndLimit(edit.Bytes, DxRoot.EntriesOffset, 1, DxNode.ReadLimit(old, DxRoot.EntriesOffset));
            DxNode.Write(edit.Bytes, DxRoot.EntriesOffset, 0, new DxEntry(0, index));
            file.SealIndex(edit.Bytes, DxRoot.EntriesOffset);
            file.ForgetRoot();
        }
        finally
        {
            node.Unpin();
        }
    }

    /// <summary>Fills a new block of the index with entries of another.</summary>
    private void WriteNode(Handle handle, MetadataBlock node, byte[] from, int fromOffset, int first, int count)
    {
        using BlockEdit edit = handle.Edit(node);
        Span<byte> bytes = edit.Bytes;
        bytes.Clear();
        DxNode.WriteHead(bytes);
        DxNode.WriteCountAndLimit(
            bytes, DxNode.EntriesOffset, count, DxNode.LimitOf(bytes.Length, DxNode.EntriesOffset, file.Format.HasChecksum));
        for (int i = 0; i < count; i++)
        {
            DxNode.Write(bytes, DxNode.EntriesOffset, i, DxNode.Read(from, fromOffset, first + i));
        }

        file.SealIndex(bytes, DxNode.EntriesOffset);
    }

    /// <summary>Puts an entry into a block of the index with room, behind the one that the path goes through.</summary>
    private void InsertIndex(Handle handle, HashFrame frame, DxEntry entry)
    {
        using BlockEdit edit = handle.Edit(frame.Block);
        Span<byte> bytes = edit.Bytes;
        int count = DxNode.ReadCount(bytes, frame.EntriesOffset);
        for (int i = count; i > frame.At + 1; i--)
        {
            DxNode.Write(bytes, frame.EntriesOffset, i, DxNode.Read(bytes, frame.EntriesOffset, i - 1));
        }

        DxNode.Write(bytes, frame.EntriesOffset, frame.At + 1, entry);
        DxNode.WriteCountAndLimit(bytes, frame.EntriesOffset, count + 1, DxNode.ReadLimit(bytes, frame.EntriesOffset));
        file.SealIndex(bytes, frame.EntriesOffset);
    }

    /// <summary>Writes a leaf with the given entries of <paramref name="from"/>, packed.</summary>
    private void WriteLeaf(Handle handle, MetadataBlock leaf, byte[] from, List<HashedEntry> entries)
    {
        using BlockEdit edit = handle.Edit(leaf);
        Span<byte> bytes = edit.Bytes;
        DirectoryBlock.Clear(bytes, file.Format);
        int offset = 0;
        for (int i = 0; i < entries.Count; i++)
        {
            DirectoryEntry entry = entries[i].Entry;
            int length = i == entries.Count - 1 ? file.UsableBytes - offset : entry.NeededLength;
            DirectoryEntry.Write(bytes, offset, entry.Inode, length, entry.NameIn(from), entry.FileType);
            offset += length;
        }

        file.Seal(bytes);
    }

    /// <summary>The entries of a block but "." and "..", by rising hash.</summary>
    private List<HashedEntry> Collect(byte[] bytes, DirectoryHashVersion version)
    {
        var entries = new List<HashedEntry>();
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(bytes, file.UsableBytes))
        {
            if (entry.IsUsed && !EntryBlock.IsDotOrDotDot(entry.NameIn(bytes)))
            {
                entries.Add(new HashedEntry(tree.HashOf(entry.NameIn(bytes), version), entry));
            }
        }

        entries.Sort();
        return entries;
    }

    /// <summary>An entry with its hash; ordered by hash, then by place, so that the order is the same in every run.</summary>
    private readonly record struct HashedEntry(DirectoryHash Hash, DirectoryEntry Entry) : IComparable<HashedEntry>
    {
        public int CompareTo(HashedEntry other)
        {
            int byMajor = Hash.Major.CompareTo(other.Hash.Major);
            int byMinor = byMajor != 0 ? byMajor : Hash.Minor.CompareTo(other.Hash.Minor);
            return byMinor != 0 ? byMinor : Entry.Offset.CompareTo(other.Entry.Offset);
        }
    }
}

using System.Buffers;
using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Extents;

/// <summary>
/// The one way in which a tree changes: some entries of a leaf give way to others. Nodes that overflow are split, up to a root that grows by a
/// level; nodes left empty are freed, and a root with one small child takes its place.
/// </summary>
/// <remarks>
/// Everything that can fail comes first: the nodes are in memory, new ones are allocated, the file's blocks that go are freed. What follows is only
/// memory. So a failure leaves the tree as it was. The mapping lock is held exclusively.
/// </remarks>
internal sealed class ExtentSplice(ExtentTree tree)
{
    private readonly List<MetadataBlock> _spare = [];
    private readonly List<VolumeBlock> _emptied = [];

    private Ext4Volume Volume => tree.Volume;

    private VolumeGeometry Geometry => tree.Volume.Geometry;

    private long SectorsPerCluster => ((long)Geometry.ClusterRatio << Geometry.LogBlockSize) >> 9;

    /// <summary>Credits of one splice in a tree as deep as it is now, or one level deeper; file blocks that it frees not counted.</summary>
    public int Credits
    {
        get
        {
            // Each level: the node, perhaps a new one, and the bitmap and descriptor of the group that one comes from or goes back to.
            int depth = Math.Min(tree.DepthHint + 1, ExtentHeader.MaxDepth);
            return depth + ((depth + 1) * (1 + BlockAllocator.CreditsPerGroup)) + 1;
        }
    }

    /// <summary>
    /// Replaces <paramref name="removed"/> entries of the path's leaf, from <paramref name="index"/> on, by <paramref name="pieces"/>, joined to the
    /// entries beside them where they fit. The path is spent.
    /// </summary>
    /// <param name="handle">At least <see cref="Credits"/>, and those to free <paramref name="freed"/>.</param>
    /// <param name="path">A path made for a change.</param>
    /// <param name="index">The first entry to go, or where to insert.</param>
    /// <param name="removed">How many entries go.</param>
    /// <param name="pieces">What comes, in order.</param>
    /// <param name="use">On whose account new nodes are.</param>
    /// <param name="freed">Blocks that the file gives back; count 0 for none.</param>
    public async ValueTask ApplyAsync(
        Handle handle, ExtentPath path, int index, int removed, ExtentPieces pieces, NodeSpace use, BlockSpan freed = default)
    {
        Widen(path, ref index, ref removed, ref pieces);
        await ReplaceAsync(handle, path, index, removed, pieces, use, freed).ConfigureAwait(false);
    }

    /// <summary>Splits an entry in two at a file block, which stay apart although one would do. The path is spent.</summary>
    public ValueTask SplitAsync(Handle handle, ExtentPath path, int index, ulong at)
    {
        ExtentLeaf extent = tree.LeafAt(path, index)!.Value;
        ExtentPieces halves = ExtentPieces.Halves(extent, (ushort)(at - extent.First));
        return ReplaceAsync(handle, path, index, removed: 1, halves, NodeSpace.Essential, freed: default);
    }

    private async ValueTask ReplaceAsync(
        Handle handle, ExtentPath path, int index, int removed, ExtentPieces pieces, NodeSpace use, BlockSpan freed)
    {
        await PrepareAsync(handle, path, pieces.Count - removed, use).ConfigureAwait(false);
        long sectors = _spare.Count * SectorsPerCluster;
        try
        {
            if (freed.Count > 0)
            {
                await Volume.Blocks.FreeAsync(handle, freed.First, freed.Count).ConfigureAwait(false);
                sectors -= Clusters(freed) * SectorsPerCluster;
            }
        }
        catch
        {
            await ReturnSpareAsync(handle).ConfigureAwait(false);
            throw;
        }

        Replace(handle, path, index, removed, pieces);
        if (pieces.Count < removed)
        {
            PullUp(handle, path);
        }

        sectors -= _emptied.Count * SectorsPerCluster;
        tree.Owner.AddSectors(sectors);
        await tree.Owner.StoreAsync(handle).ConfigureAwait(false);
        await FreeEmptiedAsync(handle).ConfigureAwait(false);
    }

    /// <summary>Sets the keys of the nodes above to the first key of the node at <paramref name="level"/>.</summary>
    public void FixKeys(Handle handle, ExtentPath path, int level)
    {
        uint key = ExtentTree.KeyAt(tree.NodeAt(path, level), 0);
        for (int above = level - 1; above >= 0; above--)
        {
            int index = path.IndexAt(above);
            if (ExtentTree.KeyAt(tree.NodeAt(path, above), index) == key)
            {
                return;
            }

            SetKey(handle, path, above, index, key);
            if (index != 0)
            {
                return;
            }
        }
    }

    private long Clusters(BlockSpan blocks)
    {
        ulong first = blocks.First.Value >> Geometry.LogClusterRatio;
        ulong last = (blocks.End.Value - 1) >> Geometry.LogClusterRatio;
        return Geometry.ClusterRatio == 1 ? (long)blocks.Count : (long)(last - first + 1);
    }

    /// <summary>Takes the neighbours in the leaf into the change if a piece can be joined to them.</summary>
    private void Widen(ExtentPath path, ref int index, ref int removed, ref ExtentPieces pieces)
    {
        var wide = default(ExtentPieces);
        ExtentLeaf? left = tree.LeafAt(path, index - 1);
        ExtentLeaf? right = tree.LeafAt(path, index + removed);
        if (left is { } before)
        {
            wide.Add(before);
        }

        int prefix = wide.Count;
        for (int i = 0; i < pieces.Count; i++)
        {
            wide.Add(pieces[i]);
        }

        bool joinsLeft = prefix > 0 && pieces.Count > 0 && wide.Count < prefix + pieces.Count;
        int middle = wide.Count;
        if (right is { } after)
        {
            wide.Add(after);
        }

        bool joinsRight = right is not null && pieces.Count > 0 && wide.Count == middle;
        index -= joinsLeft ? 1 : 0;
        removed += (joinsLeft ? 1 : 0) + (joinsRight ? 1 : 0);
        var result = default(ExtentPieces);
        int from = prefix > 0 && !joinsLeft ? 1 : 0;
        int to = right is not null && !joinsRight ? wide.Count - 1 : wide.Count;
        for (int i = from; i < to; i++)
        {
            result.Add(wide[i]);
        }

        pieces = result;
    }

    /// <summary>Allocates the nodes that the change will need.</summary>
    private async ValueTask PrepareAsync(Handle handle, ExtentPath path, int growth, NodeSpace use)
    {
        _spare.Clear();
        _emptied.Clear();
        int needed = CountNewNodes(path, growth);
        try
        {
            for (int i = 0; i < needed; i++)
            {
                _spare.Add(await AllocateNodeAsync(handle, path, use).ConfigureAwait(false));
            }
        }
        catch
        {
            await ReturnSpareAsync(handle).ConfigureAwait(false);
            throw;
        }
    }

    private int CountNewNodes(ExtentPath path, int growth)
    {
        int needed = 0;
        for (int level = path.Depth; level >= 0 && growth > 0; level--)
        {
            ExtentHeader header = ExtentHeader.Read(tree.NodeAt(path, level));
            if (header.Entries + growth <= header.Capacity)
            {
                return needed;
            }

            needed++;
            growth = 1;
            if (level == 0 && path.Depth == ExtentHeader.MaxDepth)
            {
                throw new FileSystemException(IoFault.FileTooLarge, $"{tree.Owner.Number}: its extent tree cannot grow deeper");
            }
        }

        return needed;
    }

    private async ValueTask<MetadataBlock> AllocateNodeAsync(Handle handle, ExtentPath path, NodeSpace use)
    {
        VolumeBlock goal = path.BlockAt(path.Depth)?.Number ?? Geometry.FirstBlockOf(Geometry.Locate(tree.Owner.Number).Group);
        var request = new AllocationRequest { Goal = goal, Clusters = 1, IsStream = true };
        BlockSpan found = await use.TakeAsync(Volume.Blocks, handle, request).ConfigureAwait(false);
        return Volume.Cache.GetNew(found.First);
    }

    private async ValueTask ReturnSpareAsync(Handle handle)
    {
        foreach (MetadataBlock node in _spare)
        {
            node.Unpin();
            handle.Forget(node.Number);
            await Volume.Blocks.FreeAsync(handle, node.Number, 1).ConfigureAwait(false);
        }

        _spare.Clear();
    }

    private async ValueTask FreeEmptiedAsync(Handle handle)
    {
        foreach (VolumeBlock block in _emptied)
        {
            handle.Forget(block);
            await Volume.Blocks.FreeAsync(handle, block, 1).ConfigureAwait(false);
        }

        _emptied.Clear();
    }

    private void Replace(Handle handle, ExtentPath path, int index, int removed, in ExtentPieces pieces)
    {
        Span<byte> entries = stackalloc byte[ExtentHeader.Size + (ExtentPieces.Capacity * ExtentLeaf.Size)];
        for (int i = 0; i < pieces.Count; i++)
        {
            pieces[i].WriteTo(entries, i);
        }

        Replace(handle, path, path.Depth, index, removed, entries.Slice(ExtentHeader.Size, pieces.Count * ExtentLeaf.Size));
    }

    /// <summary>Replaces entries of a node; <paramref name="added"/> are whole entries.</summary>
    private void Replace(Handle handle, ExtentPath path, int level, int index, int removed, ReadOnlySpan<byte> added)
    {
        const int Size = ExtentLeaf.Size;
        ReadOnlySpan<byte> node = tree.NodeAt(path, level);
        ExtentHeader header = ExtentHeader.Read(node);
        int count = header.Entries - removed + (added.Length / Size);
        byte[] rented = ArrayPool<byte>.Shared.Rent((count + 1) * Size);
        try
        {
            Span<byte> all = rented.AsSpan(0, count * Size);
            ReadOnlySpan<byte> old = node.Slice(ExtentHeader.Size, header.Entries * Size);
            old[..(index * Size)].CopyTo(all);
            added.CopyTo(all[(index * Size)..]);
            old[((index + removed) * Size)..].CopyTo(all[((index * Size) + added.Length)..]);
            if (count <= header.Capacity)
            {
                Store(handle, path, level, header, all, index);
            }
            else if (level == 0)
            {
                Grow(handle, path, header, all);
            }
            else
            {
                Split(handle, path, level, header, all, index, isAppend: (index * Size) + added.Length == all.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Stores a node that fits; an empty one is taken out of its parent.</summary>
    private void Store(Handle handle, ExtentPath path, int level, ExtentHeader header, ReadOnlySpan<byte> entries, int index)
    {
        if (entries.IsEmpty && level > 0)
        {
            _emptied.Add(path.BlockAt(level)!.Number);
            Replace(handle, path, level - 1, path.IndexAt(level - 1), removed: 1, default);
            return;
        }

        ushort depth = entries.IsEmpty ? (ushort)0 : header.Depth;
        Write(handle, path, level, header with { Entries = (ushort)(entries.Length / ExtentLeaf.Size), Depth = depth }, entries);
        if (index == 0 && !entries.IsEmpty)
        {
            FixKeys(handle, path, level);
        }
    }

    /// <summary>The root's entries move to a new node, which becomes its only child.</summary>
    private void Grow(Handle handle, ExtentPath path, ExtentHeader header, ReadOnlySpan<byte> entries)
    {
        MetadataBlock child = TakeSpare();
        WriteNew(handle, child, header.Depth, entries);
        Span<byte> entry = stackalloc byte[ExtentHeader.Size + ExtentIndex.Size];
        new ExtentIndex(LittleEndian.U32(entries, 0), child.Number).WriteTo(entry, 0);
        var grown = new ExtentHeader(1, ExtentHeader.RootCapacity, (ushort)(header.Depth + 1), header.Generation);
        Write(handle, path, 0, grown, entry[ExtentHeader.Size..]);
        child.Unpin();
    }

    /// <summary>
    /// Moves the upper half to a new node. What is appended goes to the new node alone, so that a file written from start to end has full nodes.
    /// </summary>
    private void Split(Handle handle, ExtentPath path, int level, ExtentHeader header, ReadOnlySpan<byte> entries, int index, bool isAppend)
    {
        int count = entries.Length / ExtentLeaf.Size;
        int left = Math.Min(header.Capacity, isAppend ? count - 1 : count / 2);
        ReadOnlySpan<byte> upper = entries[(left * ExtentLeaf.Size)..];
        MetadataBlock sibling = TakeSpare();
        WriteNew(handle, sibling, header.Depth, upper);
        Write(handle, path, level, header with { Entries = (ushort)left }, entries[..(left * ExtentLeaf.Size)]);
        if (index == 0)
        {
            FixKeys(handle, path, level);
        }

        Span<byte> entry = stackalloc byte[ExtentHeader.Size + ExtentIndex.Size];
        new ExtentIndex(LittleEndian.U32(upper, 0), sibling.Number).WriteTo(entry, 0);
        Replace(handle, path, level - 1, path.IndexAt(level - 1) + 1, removed: 0, entry[ExtentHeader.Size..]);
        sibling.Unpin();
    }

    /// <summary>Where the root has one child, and the child few entries, they move into the root.</summary>
    private void PullUp(Handle handle, ExtentPath path)
    {
        ExtentHeader root = ExtentHeader.Read(tree.Owner.BlockField);
        if (path.Depth == 0 || root.Depth == 0 || root.Entries != 1 || path.BlockAt(1) is not { } child)
        {
            return;
        }

        ExtentHeader header = ExtentHeader.Read(child.Bytes);
        bool isChild = ExtentIndex.Read(tree.Owner.BlockField, 0).Child == child.Number;
        if (isChild && header.Entries <= ExtentHeader.RootCapacity)
        {
            var pulled = new ExtentHeader(header.Entries, ExtentHeader.RootCapacity, header.Depth, root.Generation);
            Write(handle, path, 0, pulled, child.Bytes.Slice(ExtentHeader.Size, header.Entries * ExtentLeaf.Size));
            _emptied.Add(child.Number);
        }
    }

    private MetadataBlock TakeSpare()
    {
        MetadataBlock node = _spare[^1];
        _spare.RemoveAt(_spare.Count - 1);
        return node;
    }

    private void Write(Handle handle, ExtentPath path, int level, ExtentHeader header, ReadOnlySpan<byte> entries)
    {
        if (path.BlockAt(level) is { } block)
        {
            using BlockEdit edit = handle.Edit(block);
            WriteTo(edit.Bytes, header, entries);
            tree.Seal(edit.Bytes);
        }
        else
        {
            Span<byte> root = stackalloc byte[InodeRecord.BlockFieldSize];
            tree.Owner.BlockField.CopyTo(root);
            WriteTo(root, header, entries);
            tree.Owner.SetBlockField(root);
        }
    }

    private void WriteNew(Handle handle, MetadataBlock block, ushort depth, ReadOnlySpan<byte> entries)
    {
        using BlockEdit edit = handle.Edit(block);
        int capacity = ExtentHeader.CapacityOf(edit.Bytes.Length);
        WriteTo(edit.Bytes, new ExtentHeader((ushort)(entries.Length / ExtentLeaf.Size), (ushort)capacity, depth), entries);
        tree.Seal(edit.Bytes);
        block.IsJudged = true;
    }

    private void SetKey(Handle handle, ExtentPath path, int level, int index, uint key)
    {
        int offset = ExtentHeader.Size + (index * ExtentIndex.Size);
        if (path.BlockAt(level) is { } block)
        {
            using BlockEdit edit = handle.Edit(block);
            LittleEndian.U32(edit.Bytes, offset, key);
            tree.Seal(edit.Bytes);
        }
        else
        {
            Span<byte> root = stackalloc byte[InodeRecord.BlockFieldSize];
            tree.Owner.BlockField.CopyTo(root);
            LittleEndian.U32(root, offset, key);
            tree.Owner.SetBlockField(root);
        }
    }

    private static void WriteTo(Span<byte> node, ExtentHeader header, ReadOnlySpan<byte> entries)
    {
        header.WriteTo(node);
        entries.CopyTo(node[ExtentHeader.Size..]);
    }
}

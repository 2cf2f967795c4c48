using Penstock.Ext4.Format;
using Penstock.Journal;

namespace Penstock.Ext4.Extents;

/// <summary>
/// Moves extents to other places in their file, leaf by leaf: down from the left, up from the right, so that the order holds at every moment.
/// The mapping lock is held exclusively; between two leaves it may be let go.
/// </summary>
internal sealed class ExtentShift(ExtentTree tree, ExtentSplice splice)
{
    private ulong? _cursor;

    /// <summary>Forgets how far a shift has come.</summary>
    public void Reset() => _cursor = null;

    /// <summary>Moves the next leaf's extents that start at or after <paramref name="start"/> down. Whether there are more leaves.</summary>
    public async ValueTask<bool> MoveDownAsync(Handle handle, ulong start, ulong count)
    {
        ulong cursor = _cursor ?? start;
        ExtentPath path = await tree.DescendAsync(cursor, forChange: true).ConfigureAwait(false);
        try
        {
            ulong end = path.LeafRule.End;
            if (Move(handle, path, start, tree.LeafCount(path), key => (uint)(key - count)))
            {
                await tree.Owner.StoreAsync(handle).ConfigureAwait(false);
            }

            _cursor = end;
            return end <= ExtentLeaf.MaxFileBlock;
        }
        finally
        {
            path.Release();
        }
    }

    /// <summary>
    /// Moves the last leaf's extents that start at or after <paramref name="start"/> and were not moved yet up; before that, splits the one
    /// that lies across it. Whether there are more leaves.
    /// </summary>
    /// <exception cref="FileSystemException">FileTooLarge: an extent would end beyond <paramref name="maxBlocks"/>; nothing was moved.</exception>
    public async ValueTask<bool> MoveUpAsync(Handle handle, ulong start, ulong count, ulong maxBlocks)
    {
        if (_cursor is null)
        {
            await RequireRoomAsync(start, count, maxBlocks).ConfigureAwait(false);
            await SplitAtAsync(handle, start).ConfigureAwait(false);
            _cursor = ExtentLeaf.MaxFileBlock;

            // The split may have used up the credits.
            return true;
        }

        ExtentPath path = await tree.DescendAsync(_cursor.Value, forChange: true).ConfigureAwait(false);
        try
        {
            if (path.LeafIndex < 0 || tree.LeafAt(path, 0) is not { } first)
            {
                return false;
            }

            // What lies behind the cursor was moved already, and may be in this very leaf.
            if (Move(handle, path, start, path.LeafIndex + 1, key => (uint)(key + count)))
            {
                await tree.Owner.StoreAsync(handle).ConfigureAwait(false);
            }

            _cursor = Math.Max(first.First, 1UL) - 1;
            return first.First > start;
        }
        finally
        {
            path.Release();
        }
    }

    /// <summary>Gives new keys to the first <paramref name="count"/> extents of the leaf from <paramref name="start"/> on. Whether there were any.</summary>
    private bool Move(Handle handle, ExtentPath path, ulong start, int count, Func<uint, uint> move)
    {
        int from = start == 0 ? 0 : ExtentTree.FindLast(tree.NodeAt(path, path.Depth), count, start - 1) + 1;
        if (from >= count)
        {
            return false;
        }

        if (path.BlockAt(path.Depth) is { } block)
        {
            using BlockEdit edit = handle.Edit(block);
            MoveKeys(edit.Bytes, from, count, move);
            tree.Seal(edit.Bytes);
        }
        else
        {
            Span<byte> root = stackalloc byte[InodeRecord.BlockFieldSize];
            tree.Owner.BlockField.CopyTo(root);
            MoveKeys(root, from, count, move);
            tree.Owner.SetBlockField(root);
        }

        if (from == 0)
        {
            splice.FixKeys(handle, path, path.Depth);
        }

        return true;
    }

    private static void MoveKeys(Span<byte> node, int from, int to, Func<uint, uint> move)
    {
        for (int i = from; i < to; i++)
        {
            ExtentLeaf extent = ExtentLeaf.Read(node, i);
            (extent with { First = move(extent.First) }).WriteTo(node, i);
        }
    }

    private async ValueTask RequireRoomAsync(ulong start, ulong count, ulong maxBlocks)
    {
        ExtentPath path = await tree.DescendAsync(ExtentLeaf.MaxFileBlock, forChange: false).ConfigureAwait(false);
        ExtentLeaf? last = tree.LeafAt(path, path.LeafIndex);
        path.Release();
        if (last is { } extent && extent.End > start && count > maxBlocks - Math.Min(extent.End, maxBlocks))
        {
            throw new FileSystemException(IoFault.FileTooLarge, $"{tree.Owner.Number}: its last extent would end beyond what can be mapped");
        }
    }

    private async ValueTask SplitAtAsync(Handle handle, ulong start)
    {
        ExtentPath path = await tree.DescendAsync(start, forChange: true).ConfigureAwait(false);
        try
        {
            if (tree.LeafAt(path, path.LeafIndex) is { } extent && extent.First < start && extent.End > start)
            {
                await splice.SplitAsync(handle, path, path.LeafIndex, start).ConfigureAwait(false);
            }
        }
        finally
        {
            path.Release();
        }
    }
}

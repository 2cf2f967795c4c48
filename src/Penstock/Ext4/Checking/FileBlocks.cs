using Penstock.Ext4.Format;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>
/// Where the blocks of a file are, for whoever wants to read one: claims nothing, says nothing, leaves out what is damaged, and gives up beyond a
/// number of blocks.
/// </summary>
internal sealed class FileBlocks(CheckRun run, int most)
{
    private const int DirectCount = 12;
    private readonly List<DirectoryPlace> _found = [];
    private int _mapBlocks;

    /// <summary>The blocks by their place in the file.</summary>
    public async ValueTask<List<DirectoryPlace>> CollectAsync(InodeRecord inode)
    {
        byte[] root = inode.BlockField.ToArray();
        if (inode.Is(InodeFlags.Extents))
        {
            await AddNodeAsync(root, ExtentHeader.Read(root).Depth).ConfigureAwait(false);
        }
        else
        {
            await AddMapAsync(root).ConfigureAwait(false);
        }

        _found.Sort(static (a, b) => a.Index.CompareTo(b.Index));
        return _found;
    }

    private bool IsFull => _found.Count >= most || _mapBlocks > most + ExtentHeader.MaxDepth;

    private async ValueTask AddNodeAsync(byte[] node, int depth)
    {
        if (!ExtentWalk.IsHeader(node) || ExtentHeader.Read(node).Depth != depth || depth > ExtentHeader.MaxDepth)
        {
            return;
        }

        int entries = ExtentHeader.Read(node).Entries;
        for (int i = 0; i < entries && !IsFull; i++)
        {
            if (depth == 0)
            {
                ExtentLeaf leaf = ExtentLeaf.Read(node, i);
                for (uint k = 0; k < leaf.Length && !IsFull && run.Contains(leaf.Start.Value, leaf.Length); k++)
                {
                    _found.Add(new DirectoryPlace(leaf.Start.Value + k, leaf.First + k));
                }

                continue;
            }

            int at = ExtentHeader.Size + (i * ExtentLeaf.Size);
            ulong child = U32(node, at + 4) | ((ulong)U16(node, at + 8) << 32);
            if (await ReadAsync(child).ConfigureAwait(false) is { } below)
            {
                await AddNodeAsync(below, depth - 1).ConfigureAwait(false);
            }
        }
    }

    private async ValueTask AddMapAsync(byte[] root)
    {
        AddPointers(root.AsSpan(0, DirectCount * 4), 0);
        ulong first = DirectCount;
        ulong span = 1;
        for (int level = 0; level < 3; level++)
        {
            span *= (ulong)run.BlockSize / 4;
            await AddIndirectAsync(U32(root, (DirectCount + level) * 4), first, level, span).ConfigureAwait(false);
            first += span;
        }
    }

    private async ValueTask AddIndirectAsync(uint block, ulong first, int level, ulong span)
    {
        if (block == 0 || IsFull || await ReadAsync(block).ConfigureAwait(false) is not { } pointers)
        {
            return;
        }

        if (level == 0)
        {
            AddPointers(pointers, first);
            return;
        }

        ulong below = span / ((ulong)run.BlockSize / 4);
        for (int i = 0; i < pointers.Length / 4 && !IsFull; i++)
        {
            await AddIndirectAsync(U32(pointers, i * 4), first + ((uint)i * below), level - 1, below).ConfigureAwait(false);
        }
    }

    private void AddPointers(ReadOnlySpan<byte> pointers, ulong first)
    {
        for (int i = 0; i < pointers.Length / 4 && !IsFull; i++)
        {
            uint block = U32(pointers, i * 4);
            if (block != 0 && run.Contains(block) && first + (uint)i <= uint.MaxValue)
            {
                _found.Add(new DirectoryPlace(block, (uint)(first + (uint)i)));
            }
        }
    }

    private async ValueTask<byte[]?> ReadAsync(ulong block)
    {
        _mapBlocks++;
        using AlignedBuffer buffer = run.Store.Allocate(1);
        bool isRead = run.Contains(block) && await run.Store.ReadAsync(block, 1, buffer.Segment).ConfigureAwait(false);
        return isRead ? buffer.GetSpan().ToArray() : null;
    }
}

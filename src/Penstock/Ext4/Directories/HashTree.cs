using Penstock.Ext4.Format;
using Penstock.Journal;

namespace Penstock.Ext4.Directories;

/// <summary>Walking the hash tree of a directory. See https://docs.kernel.org/filesystems/ext4/directory.html#hash-tree-directories.</summary>
internal sealed class HashTree(DirectoryFile file)
{
    /// <summary>The lowest bit of an index entry's hash: names with the hash of the leaf before continue in this one.</summary>
    public const uint ContinuedBit = 1;

    public DirectoryHash HashOf(ReadOnlySpan<byte> name, DirectoryHashVersion stored)
    {
        Superblock superblock = file.Volume.Superblock;
        return DirectoryHash.Compute(name, DirectoryHash.Resolve(stored, superblock.Flags), superblock.HashSeed);
    }

    /// <summary>The way to the leaf where names with the hash begin.</summary>
    public async ValueTask<HashPath> ProbeAsync(Func<DxRoot, uint> hashOf)
    {
        (MetadataBlock block, DxRoot root) = await file.GetRootAsync().ConfigureAwait(false);
        var path = new HashPath { Root = root };
        try
        {
            uint hash;
            try
            {
                hash = hashOf(root);
            }
            catch
            {
                block.Unpin();
                throw;
            }

            path.Push(new HashFrame(block, 0, DxRoot.EntriesOffset, HashFrame.Search(block.Bytes, DxRoot.EntriesOffset, hash)));
            await DescendAsync(path, hash).ConfigureAwait(false);
            return path;
        }
        catch
        {
            path.Dispose();
            throw;
        }
    }

    public ValueTask<HashPath> ProbeAsync(uint hash) => ProbeAsync(_ => hash);

    /// <summary>Moves on to the next leaf. Returns the index entry's hash that leads there, or null at the end.</summary>
    public async ValueTask<uint?> AdvanceAsync(HashPath path)
    {
        int level = path.Depth - 1;
        while (level >= 0 && path[level].At + 1 >= path[level].EntryCount)
        {
            level--;
        }

        if (level < 0)
        {
            return null;
        }

        path.CutBelow(level);
        path[level].At++;
        uint boundary = path.Bottom.Current.Hash;
        await DescendAsync(path, hash: 0).ConfigureAwait(false);
        return boundary;
    }

    /// <summary>The index entry's hash after the leaf of <paramref name="path"/>, or null; moves nothing.</summary>
    public static uint? PeekNext(HashPath path)
    {
        for (int level = path.Depth - 1; level >= 0; level--)
        {
            HashFrame frame = path[level];
            if (frame.At + 1 < frame.EntryCount)
            {
                return DxNode.Read(frame.Block.Bytes, frame.EntriesOffset, frame.At + 1).Hash;
            }
        }

        return null;
    }

    /// <summary>Whether a leaf behind <paramref name="boundary"/> continues names of <paramref name="hash"/>.</summary>
    public static bool IsContinued(uint? boundary, uint hash) => boundary == (hash | ContinuedBit);

    /// <summary>The leaf that a path leads to; pinned.</summary>
    public ValueTask<MetadataBlock> GetLeafAsync(HashPath path)
    {
        uint leaf = path.Leaf;
        return leaf != 0
            ? file.GetLeafAsync(leaf)
            : throw new CorruptVolumeException("directory index", file.LocationOf(path.Bottom.Block).ToString(), "block", "0, the root, as a leaf");
    }

    private async ValueTask DescendAsync(HashPath path, uint hash)
    {
        while (path.Depth <= path.Root.IndirectLevels)
        {
            uint child = path.Leaf;
            if (child == 0)
            {
                throw new CorruptVolumeException("directory index", file.LocationOf(path.Bottom.Block).ToString(), "block", "0, the root, below itself");
            }

            MetadataBlock block = await file.GetNodeAsync(child).ConfigureAwait(false);
            path.Push(new HashFrame(block, child, DxNode.EntriesOffset, HashFrame.Search(block.Bytes, DxNode.EntriesOffset, hash)));
        }
    }
}

using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <summary>The orphan file: blocks of slots with inode numbers, so that registering orphans does not all go through the superblock.</summary>
internal sealed class OrphanFile
{
    private readonly Ext4Inode _inode;
    private readonly int _slotsPerBlock;
    private readonly int _slots;
    private readonly Stack<int> _freed = [];
    private readonly SortedDictionary<int, uint> _used = [];
    private int _firstUnused;

    private OrphanFile(Ext4Inode inode, int blocks)
    {
        _inode = inode;
        _slotsPerBlock = OrphanBlock.SlotCount(inode.Volume.Geometry.BlockSize);
        _slots = blocks * _slotsPerBlock;
    }

    /// <summary>How many slots are in use.</summary>
    public int Count => _used.Count;

    private Ext4Volume Volume => _inode.Volume;

    /// <exception cref="CorruptVolumeException">The superblock names an inode that is no orphan file.</exception>
    public static async ValueTask<OrphanFile> OpenAsync(Ext4FileSystem fileSystem)
    {
        const int MostBlocks = 4096;
        var number = new InodeNumber(fileSystem.Volume.Superblock.OrphanFileInode);
        var inode = (Ext4Inode)await fileSystem.LoadAsync(number, InodePurpose.Internal).ConfigureAwait(false);
        long blocks = inode.Size / fileSystem.BlockSize;
        return inode.Kind == FileKind.Regular && inode.Mapper is not null && blocks is > 0 and <= MostBlocks
            ? new OrphanFile(inode, (int)blocks)
            : throw new CorruptVolumeException("superblock", "offset 1024", "s_orphan_file_inum", $"{number.Value}, of {blocks} blocks");
    }

    /// <summary>The inodes that stand in the file; their slots are noted as in use.</summary>
    public async IAsyncEnumerable<uint> ReadAsync()
    {
        for (int index = 0; index < _slots / _slotsPerBlock; index++)
        {
            MetadataBlock block = await GetAsync(index).ConfigureAwait(false);
            byte[] bytes = block.Bytes.ToArray();
            block.Unpin();
            for (int slot = 0; slot < _slotsPerBlock; slot++)
            {
                uint number = OrphanBlock.ReadSlot(bytes, slot);
                if (number != 0)
                {
                    _used[(index * _slotsPerBlock) + slot] = number;
                    yield return number;
                }
            }
        }

        _firstUnused = _used.Count == 0 ? 0 : _used.Keys.Max() + 1;
    }

    public OrphanMark MarkOf(InodeNumber number) => new(null, _used.First(p => p.Value == number.Value).Key);

    /// <summary>Registers an inode: one credit. Null if the file is full.</summary>
    public async ValueTask<OrphanMark?> TryAddAsync(Handle handle, InodeNumber number)
    {
        int slot = _freed.Count > 0 ? _freed.Pop() : _firstUnused;
        if (slot >= _slots)
        {
            return null;
        }

        await WriteAsync(handle, slot, (uint)number.Value).ConfigureAwait(false);
        _firstUnused = Math.Max(_firstUnused, slot + 1);
        _used.Add(slot, (uint)number.Value);
        return new OrphanMark(null, slot);
    }

    /// <summary>Frees a slot: one credit.</summary>
    public async ValueTask RemoveAsync(Handle handle, int slot)
    {
        await WriteAsync(handle, slot, 0).ConfigureAwait(false);
        _used.Remove(slot);
        _freed.Push(slot);
    }

    private async ValueTask WriteAsync(Handle handle, int slot, uint number)
    {
        MetadataBlock block = await GetAsync(slot / _slotsPerBlock).ConfigureAwait(false);
        WriteSlot(handle, block, slot % _slotsPerBlock, number);
        block.Unpin();
    }

    private void WriteSlot(Handle handle, MetadataBlock block, int slot, uint number)
    {
        using BlockEdit edit = handle.Edit(block);
        OrphanBlock.WriteSlot(edit.Bytes, slot, number);
        OrphanBlock.WriteTail(edit.Bytes, block.Number.Value, Volume.Checksum.IsUsed, _inode.ChecksumSeed);
    }

    private async ValueTask<MetadataBlock> GetAsync(int index)
    {
        BlockRun run = await _inode.Mapper!.MapAsync(new FileBlock((ulong)index), 1).ConfigureAwait(false);
        if (run.State != MapState.Mapped)
        {
            throw new CorruptVolumeException("orphan file", _inode.ToString(), "block map", $"no written block for file block {index}");
        }

        MetadataBlock block = await Volume.Cache.GetAsync(run.Volume).ConfigureAwait(false);
        if (!block.IsJudged)
        {
            try
            {
                var location = new InodeBlockLocation(_inode.Number, block.Number);
                OrphanBlock.Check(block.Bytes, location, Volume.Geometry, Volume.Checksum.IsUsed, _inode.ChecksumSeed);
                block.IsJudged = true;
            }
            catch
            {
                block.Unpin();
                throw;
            }
        }

        return block;
    }
}

using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Directories;

/// <summary>
/// The blocks of one directory, by their place in its file. The directory's lock is held: shared for reading, exclusively for changes.
/// Every block is judged when it comes into memory, so that what walks it need not fear.
/// </summary>
internal sealed class DirectoryFile(Ext4Inode inode)
{
    private readonly Ext4Volume _volume = inode.Volume;

    /// <summary>What the root of the hash tree says, while its block stays judged.</summary>
    private DxRoot? _root;

    public Ext4Inode Inode => inode;

    public Ext4Volume Volume => _volume;

    public DirectoryFormat Format { get; } = new(inode.Volume.Superblock, inode.Flags);

    public int BlockSize => _volume.Geometry.BlockSize;

    /// <summary>Bytes of a block that entries may use.</summary>
    public int UsableBytes => Format.UsableBytes(BlockSize);

    /// <summary>How many blocks the directory has.</summary>
    /// <exception cref="CorruptVolumeException">The size is none that a directory can have.</exception>
    public uint Count
    {
        get
        {
            long size = inode.Size;
            if (size <= 0 || size % BlockSize != 0 || size / BlockSize > DxEntry.BlockMask)
            {
                throw new CorruptVolumeException("inode", inode.ToString(), "i_size", $"{size} of a directory with blocks of {BlockSize}");
            }

            return (uint)(size / BlockSize);
        }
    }

    /// <summary>The block with entries at <paramref name="index"/>; pinned.</summary>
    public async ValueTask<MetadataBlock> GetLeafAsync(uint index)
    {
        MetadataBlock block = await GetAsync(index).ConfigureAwait(false);
        try
        {
            if (!block.IsJudged)
            {
                DirectoryBlock.Check(block.Bytes, Format, LocationOf(block), inode.ChecksumSeed);
                block.IsJudged = true;
            }
            else if (Format.HasChecksum && !DirectoryTail.IsPresent(block.Bytes))
            {
                // Judged, but as a block of an index: a damaged tree leads here twice.
                throw new CorruptVolumeException("directory block", LocationOf(block).ToString(), "det_reserved_ft", "missing");
            }
        }
        catch
        {
            block.Unpin();
            throw;
        }

        return block;
    }

    /// <summary>The root of the hash tree, block 0; pinned.</summary>
    public async ValueTask<(MetadataBlock Block, DxRoot Root)> GetRootAsync()
    {
        MetadataBlock block = await GetAsync(0).ConfigureAwait(false);
        try
        {
            if (!block.IsJudged || _root is null)
            {
                bool hasLargeDirectories = _volume.Superblock.Has(IncompatFeatures.LargeDir);
                _root = DxRoot.Parse(block.Bytes, Format, hasLargeDirectories, LocationOf(block), inode.ChecksumSeed);
                block.IsJudged = true;
            }

            return (block, _root.Value);
        }
        catch
        {
            block.Unpin();
            throw;
        }
    }

    /// <summary>The root was made or got a level more: it is read anew.</summary>
    public void ForgetRoot() => _root = null;

    /// <summary>A block of the hash tree below its root; pinned.</summary>
    public async ValueTask<MetadataBlock> GetNodeAsync(uint index)
    {
        MetadataBlock block = await GetAsync(index).ConfigureAwait(false);
        try
        {
            if (!block.IsJudged || !IsShapedAsNode(block.Bytes))
            {
                DxNode.CheckBlock(block.Bytes, Format.HasChecksum, LocationOf(block), inode.ChecksumSeed);
                block.IsJudged = true;
            }

            return block;
        }
        catch
        {
            block.Unpin();
            throw;
        }
    }

    /// <summary>Starts reading the block at <paramref name="index"/>, if the map is at hand.</summary>
    public void Prefetch(uint index, uint count)
    {
        if (inode.Mapper!.TryMap(new FileBlock(index), count, out BlockRun run) && run.State == MapState.Mapped)
        {
            _volume.Cache.Prefetch(run.Volume, (int)Math.Min(run.Count, count));
        }
    }

    /// <summary>Appends a zeroed block, pinned. Costs <see cref="CreditsToAppend"/>; the inode is to be stored in the same handle.</summary>
    public async ValueTask<(MetadataBlock Block, uint Index)> AppendAsync(Handle handle)
    {
        uint index = inode.Size == 0 ? 0 : Count;
        if (index >= DxEntry.BlockMask)
        {
            throw new FileSystemException(IoFault.NoSpace, "the directory has as many blocks as its format allows");
        }

        BlockRun run = await inode.Mapper!.AllocateAsync(handle, new FileBlock(index), 1, MapState.Mapped, fromReservation: false)
            .ConfigureAwait(false);
        MetadataBlock block = _volume.Cache.GetNew(run.Volume);
        block.IsJudged = true;
        inode.Size += BlockSize;
        inode.StoredSize = inode.Size;
        inode.MarkAttributesDirty();
        return (block, index);
    }

    /// <summary>An inline directory has no mapper yet: it may outgrow its inode in the same handle.</summary>
    public int CreditsToAppend => (inode.Mapper?.CreditsToAllocate(1) ?? Ext4Inode.CreditsForFirstBlock) + 1;

    /// <summary>Puts the checksum of a block with entries right, inside its edit.</summary>
    public void Seal(Span<byte> bytes)
    {
        if (Format.HasChecksum)
        {
            DirectoryTail.Write(bytes, inode.ChecksumSeed);
        }
    }

    /// <summary>Puts the checksum of a block of the hash tree right, inside its edit.</summary>
    public void SealIndex(Span<byte> bytes, int entriesOffset)
    {
        if (Format.HasChecksum)
        {
            DxNode.WriteChecksum(bytes, entriesOffset, inode.ChecksumSeed);
        }
    }

    public InodeBlockLocation LocationOf(MetadataBlock block) => new(inode.Number, block.Number);

    /// <summary>What must hold for a walk to stay inside the block, even if a damaged tree leads to a block that was judged as another kind.</summary>
    private bool IsShapedAsNode(ReadOnlySpan<byte> bytes)
    {
        DirectoryEntry head = DirectoryEntry.Read(bytes, 0);
        int limit = DxNode.LimitOf(bytes.Length, DxNode.EntriesOffset, Format.HasChecksum);
        int count = DxNode.ReadCount(bytes, DxNode.EntriesOffset);
        return head.Inode == 0 && head.RecordLength == bytes.Length && DxNode.ReadLimit(bytes, DxNode.EntriesOffset) == limit
            && count >= 1 && count <= limit;
    }

    private async ValueTask<MetadataBlock> GetAsync(uint index)
    {
        if (index >= Count)
        {
            throw new CorruptVolumeException("directory index", inode.ToString(), "block", $"{index} of {Count}");
        }

        var at = new FileBlock(index);
        if (!inode.Mapper!.TryMap(at, 1, out BlockRun run))
        {
            run = await inode.Mapper.MapAsync(at, 1).ConfigureAwait(false);
        }

        if (run.State != MapState.Mapped || run.First != at)
        {
            throw new CorruptVolumeException("directory", inode.ToString(), "block map", $"no written block for {at}");
        }

        return _volume.Cache.TryGet(run.Volume) ?? await _volume.Cache.GetAsync(run.Volume).ConfigureAwait(false);
    }
}

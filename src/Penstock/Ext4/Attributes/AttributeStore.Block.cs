using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Attributes;

/// <content>
/// The block. Inodes with the same attributes may share one; then it is not changed, and an inode that changes its attributes leaves it. We make no sharers, so
/// a block that is one inode's own stays so; one that is shared may become an inode's own at any time, by what others do.
/// </content>
internal sealed partial class AttributeStore
{
    private const int BytesPerSector = 512;
    private const int AttributeBlockReferences = 4;

    private long SectorsPerCluster => (long)Volume.Geometry.ClusterRatio * Volume.Geometry.BlockSize / BytesPerSector;

    /// <summary>Gives back the block and the inodes with values, for an inode that is being deleted: a value in each handle.</summary>
    public async ValueTask ReleaseAllAsync()
    {
        List<StoredAttribute> body = ReadBody();
        foreach (StoredAttribute value in body.Where(static a => a.ValueInode != 0).ToList())
        {
            body.Remove(value);
            await WithHoldersAsync([value], holders => inode.Ext4.ChangeAsync(1 + OrphanRegister.Credits, async handle =>
            {
                WriteBody(body);
                await holders.DropUserAsync(handle, value).ConfigureAwait(false);
                await inode.StoreAsync(handle).ConfigureAwait(false);
            })).ConfigureAwait(false);
        }

        while (inode.Record.AttributeBlock.Value != 0)
        {
            await ReleaseOneOfBlockAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Leaves a block that is shared; else takes a value out of it, or frees it if there is none.</summary>
    private async ValueTask ReleaseOneOfBlockAsync()
    {
        List<StoredAttribute> block = await ReadBlockAsync().ConfigureAwait(false);
        StoredAttribute? value = block.Find(static a => a.ValueInode != 0);
        await WithHoldersAsync([value], holders => inode.Ext4.ChangeAsync(CreditsToSet(Volume) + OrphanRegister.Credits, async handle =>
        {
            if (!await TryLeaveBlockAsync(handle).ConfigureAwait(false))
            {
                await WriteOwnBlockAsync(handle, [.. value is null ? [] : block.Where(a => a != value)]).ConfigureAwait(false);
                if (value is not null)
                {
                    await holders.DropUserAsync(handle, value).ConfigureAwait(false);
                }
            }

            await inode.StoreAsync(handle).ConfigureAwait(false);
        })).ConfigureAwait(false);
    }

    /// <summary>Runs a change with the inodes at hand that hold the values of some attributes.</summary>
    private async ValueTask WithHoldersAsync(IEnumerable<StoredAttribute?> attributes, Func<ValueHolders, ValueTask> change)
    {
        var holders = new ValueHolders(inode);
        try
        {
            await holders.LoadAsync(attributes).ConfigureAwait(false);
            await change(holders).ConfigureAwait(false);
        }
        finally
        {
            await holders.ReleaseAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Gives the inode a block with these attributes, or none. True if a shared one was left: its entries stay, and those of them that are in the new block too
    /// refer to their values once more.
    /// </summary>
    private async ValueTask<bool> WriteBlockAsync(Handle handle, List<StoredAttribute> attributes, PreparedValue? prepared, ValueHolders holders)
    {
        VolumeBlock old = inode.Record.AttributeBlock;
        if (old.Value == 0 || await IsBlockOwnAsync().ConfigureAwait(false))
        {
            await WriteOwnBlockAsync(handle, attributes).ConfigureAwait(false);
            return false;
        }

        // What can fail comes first.
        MetadataBlock? fresh = attributes.Count == 0 ? null : await AllocateBlockAsync(handle).ConfigureAwait(false);
        if (!await TryLeaveBlockAsync(handle).ConfigureAwait(false))
        {
            if (fresh is not null)
            {
                VolumeBlock unused = fresh.Number;
                fresh.Unpin();
                await FreeBlockAsync(handle, unused).ConfigureAwait(false);
            }

            await WriteOwnBlockAsync(handle, attributes).ConfigureAwait(false);
            return false;
        }

        if (fresh is not null)
        {
            Fill(handle, fresh, attributes);
            foreach (StoredAttribute shared in attributes.Where(a => a.ValueInode != 0 && a.ValueInode != prepared?.Number))
            {
                await holders.AddUserAsync(handle, shared).ConfigureAwait(false);
            }
        }

        return true;
    }

    /// <summary>As <see cref="WriteBlockAsync"/>, where no other inode uses the block.</summary>
    private async ValueTask WriteOwnBlockAsync(Handle handle, List<StoredAttribute> attributes)
    {
        VolumeBlock old = inode.Record.AttributeBlock;
        if (attributes.Count > 0)
        {
            Fill(handle, old.Value == 0 ? await AllocateBlockAsync(handle).ConfigureAwait(false) : await GetBlockAsync().ConfigureAwait(false), attributes);
        }
        else if (old.Value != 0)
        {
            inode.Record.AttributeBlock = default;
            await FreeBlockAsync(handle, old).ConfigureAwait(false);
        }
    }

    /// <summary>Writes a block of the inode's own, and unpins it.</summary>
    private void Fill(Handle handle, MetadataBlock block, List<StoredAttribute> attributes)
    {
        using (BlockEdit edit = handle.Edit(block))
        {
            AttributeLayout.Write(edit.Bytes, AttributeBlockHeader.Size, attributes, isBlock: true);
            new AttributeBlockHeader(1, AttributeBlockHeader.ComputeHash(edit.Bytes)).WriteTo(edit.Bytes, block.Number, Volume.Checksum);
        }

        block.IsJudged = true;
        inode.Record.AttributeBlock = block.Number;
        block.Unpin();
    }

    private async ValueTask<bool> IsBlockOwnAsync()
    {
        MetadataBlock block = await GetBlockAsync().ConfigureAwait(false);
        bool isOwn = LittleEndian.U32(block.Bytes, AttributeBlockReferences) == 1;
        block.Unpin();
        return isOwn;
    }

    /// <summary>
    /// The inode uses a shared block no more; false if it is the only one that does, and nothing was changed. Under the block's latch: those who share it hold
    /// different inode locks.
    /// </summary>
    private async ValueTask<bool> TryLeaveBlockAsync(Handle handle)
    {
        MetadataBlock block = await GetBlockAsync().ConfigureAwait(false);
        try
        {
            using BlockEdit edit = handle.Edit(block);
            AttributeBlockHeader header = AttributeBlockHeader.Parse(edit.Bytes, block.Number, Volume.Geometry.InodeCount, Volume.Checksum);
            if (header.ReferenceCount <= 1)
            {
                return false;
            }

            (header with { ReferenceCount = header.ReferenceCount - 1 }).WriteTo(edit.Bytes, block.Number, Volume.Checksum);
        }
        finally
        {
            block.Unpin();
        }

        inode.Record.AttributeBlock = default;
        inode.AddSectors(-SectorsPerCluster);
        return true;
    }

    private async ValueTask<MetadataBlock> AllocateBlockAsync(Handle handle)
    {
        InodeLocation location = Volume.Geometry.Locate(inode.Number);
        BlockSpan span = await Volume.Blocks.AllocateAsync(
            handle,
            new AllocationRequest { Goal = Volume.Geometry.FirstBlockOf(location.Group), Clusters = 1, IsStream = true }).ConfigureAwait(false);
        inode.AddSectors(SectorsPerCluster);
        return Volume.Cache.GetNew(span.First);
    }

    private async ValueTask FreeBlockAsync(Handle handle, VolumeBlock block)
    {
        inode.AddSectors(-SectorsPerCluster);
        handle.Forget(block);
        await Volume.Blocks.FreeAsync(handle, block, 1).ConfigureAwait(false);
    }
}

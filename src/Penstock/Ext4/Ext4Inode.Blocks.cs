using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <content>Removing and moving blocks, and the register of orphans that makes removal safe.</content>
internal sealed partial class Ext4Inode
{
    /// <summary>Where the inode stands in the register of orphans, or null. Guarded by the register.</summary>
    public OrphanMark? Orphan { get; set; }

    public override int OrphanCredits => OrphanRegister.Credits;

    public override ValueTask AddOrphanAsync(Handle handle) => Ext4.Orphans.AddAsync(handle, this);

    /// <summary>An inode without names stays registered: it is freed with its last reference.</summary>
    public override ValueTask RemoveOrphanAsync(Handle handle) =>
        Attributes.Links == 0 ? ValueTask.CompletedTask : Ext4.Orphans.RemoveAsync(handle, this);

    public override async ValueTask TruncateBlocksAsync(long newSize)
    {
        if (Ext4Mapper is not { } mapper)
        {
            CutInline(newSize);
            StoredSize = newSize;
            await Ext4.ChangeAsync(1, StoreAsync).ConfigureAwait(false);
            return;
        }

        ulong first = ((ulong)newSize + (uint)Ext4.BlockSize - 1) / (uint)Ext4.BlockSize;
        // Whoever stores the inode meanwhile, a sync of the volume above all, must not store the new size without the mark.
        await Ext4.ChangeAsync(OrphanCredits, handle =>
        {
            StoredSize = newSize;
            return AddOrphanAsync(handle);
        }).ConfigureAwait(false);
        if (first < mapper.MaxBlocks)
        {
            await mapper.RemoveAsync(new FileBlock(first), mapper.MaxBlocks - first).ConfigureAwait(false);
        }

        await Ext4.ChangeAsync(OrphanCredits, RemoveOrphanAsync).ConfigureAwait(false);
    }

    public override ValueTask PunchBlocksAsync(FileBlock first, ulong count) => RequireMapper().RemoveAsync(first, count);

    public override ValueTask CollapseBlocksAsync(FileBlock first, ulong count) => RequireMapper().CollapseAsync(first, count);

    public override ValueTask InsertBlocksAsync(FileBlock first, ulong count) => RequireMapper().InsertAsync(first, count);

    public override ValueTask ZeroBlocksAsync(FileBlock first, ulong count) => RequireMapper().ZeroAsync(first, count);

    /// <summary>Frees everything the inode has, and the inode. Nobody can find it any more.</summary>
    public async ValueTask DeleteAsync()
    {
        if (MapsNothing)
        {
            MapperInUse?.ReleaseWindow();
        }
        else if (Ext4Mapper is { } mapper)
        {
            Size = 0;
            StoredSize = 0;
            await mapper.RemoveAsync(default, mapper.MaxBlocks).ConfigureAwait(false);
            mapper.ReleaseWindow();
        }

        await ExtendedAttributes.ReleaseAllAsync().ConfigureAwait(false);
        int credits = OrphanRegister.Credits + 1 + Allocation.InodeAllocator.CreditsToFree;
        await Ext4.ChangeAsync(credits, FreeAsync).ConfigureAwait(false);
    }

    protected override void EndWriting() => MapperInUse?.ReleaseWindow();

    /// <summary>Whether there is not one block to free, so that to be deleted takes no handle more than the inode itself. Nobody maps anything meanwhile.</summary>
    private bool MapsNothing => Kind == FileKind.Regular && Size == 0 && Sectors == 0 && !HasInlineData
        && (Is(InodeFlags.Extents) ? ExtentHeader.Read(BlockField).Entries == 0 : !BlockField.ContainsAnyExcept((byte)0));

    private async ValueTask FreeAsync(Handle handle)
    {
        await Ext4.Orphans.RemoveAsync(handle, this).ConfigureAwait(false);
        MetadataBlock block = await Volume.Cache.GetAsync(_tableBlock).ConfigureAwait(false);
        try
        {
            lock (_record)
            {
                _record.DeletionTime = (uint)Math.Max(Ext4.Now.Seconds, 1);
            }

            StoreInto(handle, block, isLast: true);
        }
        finally
        {
            block.Unpin();
        }

        await Volume.Inodes.FreeAsync(handle, Number, Kind == FileKind.Directory).ConfigureAwait(false);
    }

    public Ext4BlockMapper RequireMapper() =>
        Ext4Mapper ?? throw new FileSystemException(IoFault.NotSupported, $"{Number} has no blocks");

    private void CutInline(long newSize)
    {
        if (!HasInlineData)
        {
            return;
        }

        lock (_record)
        {
            int kept = (int)Math.Min(newSize, InodeRecord.BlockFieldSize);
            Span<byte> value = ExtendedAttributes.InlineValue;
            _record.BlockField[kept..].Clear();
            value[(int)Math.Min(newSize - kept, value.Length)..].Clear();
        }
    }
}

using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Attributes;

/// <content>Setting and removing. A changed attribute goes into the record if it fits there, else into the block.</content>
internal sealed partial class AttributeStore
{
    private const int BytesPerSector = 512;

    /// <summary>The record, a new block with what allocating it takes, and the old block with what freeing it takes.</summary>
    public static int CreditsToSet(Ext4Volume volume) => 1 + 1 + BlockAllocator.CreditsPerGroup + 1 + volume.Blocks.CreditsToFree(1);

    /// <summary>Sets or removes an attribute, in a handle of its own.</summary>
    /// <exception cref="FileSystemException">Exists, NoAttribute, NoSpace, NotSupported, ArgumentTooBig, BufferTooSmall (a name too long).</exception>
    public async ValueTask SetAsync(FileName name, ReadOnlyMemory<byte>? value, AttributeCondition condition)
    {
        StoredName stored = RequireSettable(name, value);
        bool exists = await GetAsync(name).ConfigureAwait(false) is not null;
        if (exists ? condition == AttributeCondition.MustNotExist : condition == AttributeCondition.MustExist)
        {
            throw new FileSystemException(exists ? IoFault.Exists : IoFault.NoAttribute);
        }

        if (!exists && value is null)
        {
            return;
        }

        byte[]? bytes = value is null ? null : ToStored(stored, value.Value);
        var dropped = new List<uint>();
        await inode.Ext4.ChangeAsync(CreditsToSet(Volume), async handle =>
        {
            await ReplaceAsync(handle, stored, bytes, dropped).ConfigureAwait(false);
            inode.Change(inode.FileSystem.Now, static (ref InodeAttributes a, Timestamp now) => a.ChangeTime = now);
            await inode.StoreAsync(handle).ConfigureAwait(false);
        }).ConfigureAwait(false);
        await DropValueInodesAsync(dropped).ConfigureAwait(false);
    }

    /// <summary>Sets an attribute of a new inode, in the handle that makes it: <see cref="CreditsToSet"/>. The caller stores the inode.</summary>
    public ValueTask SetAsync(Handle handle, FileName name, ReadOnlyMemory<byte> value)
    {
        StoredName stored = RequireSettable(name, value);
        return ReplaceAsync(handle, stored, ToStored(stored, value), []);
    }

    /// <summary>The second part of inline data goes to blocks: its attribute is removed. The caller stores the inode.</summary>
    public void RemoveInlineValue()
    {
        List<StoredAttribute> body = ReadBody();
        body.RemoveAll(static a => a.Name == StoredName.InlineContents);
        WriteBody(body);
    }

    /// <summary>Gives back the block and the inodes with values, for an inode that is being deleted.</summary>
    public async ValueTask ReleaseAllAsync()
    {
        List<StoredAttribute> all = await ReadAllAsync().ConfigureAwait(false);
        bool hasBlock = inode.Record.AttributeBlock.Value != 0;
        List<uint> dropped = [.. all.Where(static a => a.ValueInode != 0).Select(static a => a.ValueInode)];
        if (hasBlock || dropped.Count > 0)
        {
            await inode.Ext4.ChangeAsync(CreditsToSet(Volume), async handle =>
            {
                WriteBody([]);
                await WriteBlockAsync(handle, []).ConfigureAwait(false);
                await inode.StoreAsync(handle).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }

        await DropValueInodesAsync(dropped).ConfigureAwait(false);
    }

    private StoredName RequireSettable(FileName name, ReadOnlyMemory<byte>? value)
    {
        bool isKnown = StoredName.TryFrom(name, out StoredName stored);
        bool isSettable = stored.IsAcl || stored.Space is AttributeNamespace.User or AttributeNamespace.Trusted or AttributeNamespace.Security;
        if (!isKnown || !isSettable)
        {
            throw new FileSystemException(IoFault.NotSupported, $"{name}: not an attribute that can be set");
        }

        if (stored.Space == AttributeNamespace.User && inode.Kind is not (FileKind.Regular or FileKind.Directory))
        {
            throw new FileSystemException(IoFault.NotPermitted, $"{name}: only regular files and directories have user attributes");
        }

        if (stored.Space == AttributeNamespace.PosixAclDefault && inode.Kind != FileKind.Directory && value is not null)
        {
            throw new FileSystemException(IoFault.AccessDenied, $"{name}: only directories have a default list");
        }

        return value?.Length > MaxValueSize ? throw new FileSystemException(IoFault.ArgumentTooBig, $"{name}: the value is too long") : stored;
    }

    private static byte[] ToStored(StoredName name, ReadOnlyMemory<byte> value)
    {
        if (!name.IsAcl)
        {
            return value.ToArray();
        }

        return PosixAcl.TryToStored(value.Span, out byte[] stored)
            ? stored
            : throw new FileSystemException(IoFault.InvalidArgument, "not a valid access control list");
    }

    private async ValueTask ReplaceAsync(Handle handle, StoredName name, byte[]? value, List<uint> dropped)
    {
        List<StoredAttribute> body = ReadBody();
        List<StoredAttribute> block = inode.Record.AttributeBlock.Value == 0 ? [] : await ReadBlockAsync().ConfigureAwait(false);
        bool wasInBody = Take(body, name, dropped);
        bool wasInBlock = Take(block, name, dropped);
        bool goesToBlock = false;
        if (value is not null)
        {
            var attribute = new StoredAttribute(name, value);
            int room = Math.Max(inode.Record.AttributeArea.Length - AttributeArea.InodeHeaderSize, 0);
            if (inode.Record.ExtraSize > 0 && AttributeLayout.Fits([.. body, attribute], room, 0))
            {
                body.Add(attribute);
                wasInBody = true;
            }
            else
            {
                block.Add(attribute);
                goesToBlock = true;
            }
        }

        if (goesToBlock && !AttributeLayout.Fits(block, Volume.Geometry.BlockSize, AttributeBlockHeader.Size))
        {
            throw new FileSystemException(IoFault.NoSpace, $"{inode.Number}: no room for the attribute");
        }

        if (wasInBlock || goesToBlock)
        {
            await WriteBlockAsync(handle, block).ConfigureAwait(false);
        }

        if (wasInBody)
        {
            WriteBody(body);
        }
    }

    private static bool Take(List<StoredAttribute> attributes, StoredName name, List<uint> dropped)
    {
        int index = attributes.FindIndex(a => a.Name == name);
        if (index < 0)
        {
            return false;
        }

        if (attributes[index].ValueInode != 0)
        {
            dropped.Add(attributes[index].ValueInode);
        }

        attributes.RemoveAt(index);
        return true;
    }

    private void WriteBody(List<StoredAttribute> attributes)
    {
        Span<byte> area = inode.Record.AttributeArea;
        if (area.Length < AttributeArea.InodeHeaderSize)
        {
            return;
        }

        area.Clear();
        if (attributes.Count > 0)
        {
            LittleEndian.U32(area, 0, AttributeArea.Magic);
            AttributeLayout.Write(AttributeArea.WithoutHeader(area), 0, attributes, isBlock: false);
        }

        _isBodyChecked = true;
        inode.MarkAttributesDirty();
    }

    private async ValueTask WriteBlockAsync(Handle handle, List<StoredAttribute> attributes)
    {
        VolumeBlock old = inode.Record.AttributeBlock;
        if (attributes.Count == 0)
        {
            inode.Record.AttributeBlock = default;
            await ReleaseBlockAsync(handle, old).ConfigureAwait(false);
            return;
        }

        MetadataBlock? own = old.Value == 0 ? null : await GetOwnBlockAsync().ConfigureAwait(false);
        MetadataBlock block = own ?? await AllocateBlockAsync(handle).ConfigureAwait(false);
        try
        {
            using (BlockEdit edit = handle.Edit(block))
            {
                AttributeLayout.Write(edit.Bytes, AttributeBlockHeader.Size, attributes, isBlock: true);
                new AttributeBlockHeader(1, AttributeBlockHeader.ComputeHash(edit.Bytes)).WriteTo(edit.Bytes, block.Number, Volume.Checksum);
            }

            block.IsJudged = true;
            inode.Record.AttributeBlock = block.Number;
        }
        finally
        {
            block.Unpin();
        }

        if (own is null)
        {
            await ReleaseBlockAsync(handle, old).ConfigureAwait(false);
        }
    }

    /// <summary>The inode's block, pinned, unless others share it: then it is not to be changed.</summary>
    private async ValueTask<MetadataBlock?> GetOwnBlockAsync()
    {
        MetadataBlock block = await GetBlockAsync().ConfigureAwait(false);
        if (LittleEndian.U32(block.Bytes, AttributeBlockReferences) == 1)
        {
            return block;
        }

        block.Unpin();
        return null;
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

    /// <summary>An inode uses a block no more: with the last user it is freed.</summary>
    private async ValueTask ReleaseBlockAsync(Handle handle, VolumeBlock number)
    {
        if (number.Value == 0)
        {
            return;
        }

        MetadataBlock block = await Volume.Cache.GetAsync(number).ConfigureAwait(false);
        bool isLast = DropReference(handle, block);
        block.Unpin();
        inode.AddSectors(-SectorsPerCluster);
        if (isLast)
        {
            handle.Forget(number);
            await Volume.Blocks.FreeAsync(handle, number, 1).ConfigureAwait(false);
        }
    }

    /// <summary>Counts a user less, under the block's latch: those who share it hold different inode locks.</summary>
    private bool DropReference(Handle handle, MetadataBlock block)
    {
        using BlockEdit edit = handle.Edit(block);
        AttributeBlockHeader header = AttributeBlockHeader.Parse(edit.Bytes, block.Number, Volume.Geometry.InodeCount, Volume.Checksum);
        if (header.ReferenceCount <= 1)
        {
            return true;
        }

        (header with { ReferenceCount = header.ReferenceCount - 1 }).WriteTo(edit.Bytes, block.Number, Volume.Checksum);
        return false;
    }

    private const int AttributeBlockReferences = 4;

    private long SectorsPerCluster => (long)Volume.Geometry.ClusterRatio * Volume.Geometry.BlockSize / BytesPerSector;

    /// <summary>Entries that led to inodes with values are gone: those inodes count a user less, and go with the last.</summary>
    private async ValueTask DropValueInodesAsync(List<uint> numbers)
    {
        foreach (uint number in numbers)
        {
            var holder = (Ext4Inode)await inode.FileSystem.Inodes.GetAsync(new InodeNumber(number)).ConfigureAwait(false);
            if (holder.Is(InodeFlags.ExtendedAttributeInode))
            {
                await inode.Ext4.ChangeAsync(OrphanRegister.Credits, holder.DropAttributeUserAsync).ConfigureAwait(false);
            }

            await inode.FileSystem.Inodes.ReleaseAsync(holder).ConfigureAwait(false);
        }
    }
}

using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <content>What lies in the inode itself: short symbolic links and inline data; and attributes.</content>
internal sealed partial class Ext4Inode
{
    /// <summary>What allocating the first block of an inode costs, whichever its map: no block of the map is needed yet.</summary>
    public const int CreditsForFirstBlock = 16;

    /// <summary>Whether the target of the symbolic link lies in i_block.</summary>
    public bool IsFastLink =>
        Kind == FileKind.SymbolicLink && Size < InodeRecord.BlockFieldSize && !Is(InodeFlags.InlineContents | InodeFlags.Extents);

    public override bool HasNoAttributes => ExtendedAttributes.HasNone;

    public override bool MayHaveCapabilities => ExtendedAttributes.MayHaveSecurity;

    /// <summary>What fits without moving to blocks: i_block, and the value of system.data as large as the other attributes let it be.</summary>
    public override int InlineCapacity => HasInlineData ? InodeRecord.BlockFieldSize + ExtendedAttributes.InlineRoom : 0;

    /// <summary>The whole inline content.</summary>
    /// <exception cref="CorruptVolumeException">The inode does not hold as much as its size says.</exception>
    public byte[] ReadInlineBytes()
    {
        byte[] contents = new byte[RequireInlineSize()];
        CopyInline(contents);
        return contents;
    }

    /// <summary>Replaces inline content by as many bytes, <see cref="InlineCapacity"/> at most; the inode is to be stored in the same handle.</summary>
    public void WriteInlineBytes(Handle handle, ReadOnlySpan<byte> contents)
    {
        _ = handle.Transaction;
        lock (_record)
        {
            int inBlockField = Math.Min(contents.Length, InodeRecord.BlockFieldSize);
            ExtendedAttributes.GrowInlineValue(contents.Length - inBlockField);
            Span<byte> value = ExtendedAttributes.InlineValue;
            contents[..inBlockField].CopyTo(_record.BlockField);
            _record.BlockField[inBlockField..].Clear();
            contents[inBlockField..].CopyTo(value);
            value[(contents.Length - inBlockField)..].Clear();
        }

        MarkAttributesDirty();
    }

    public override void ReadInline(Span<byte> destination)
    {
        int size = Math.Min(RequireInlineSize(), destination.Length);
        CopyInline(destination[..size]);
        destination[size..].Clear();
    }

    public override ValueTask<byte[]?> GetAttributeAsync(FileName name) => ExtendedAttributes.GetAsync(name);

    public override ValueTask SetAttributeAsync(FileName name, ReadOnlyMemory<byte>? value, AttributeCondition condition) =>
        ExtendedAttributes.SetAsync(name, value, condition);

    public override ValueTask<IReadOnlyList<FileName>> ListAttributesAsync() => ExtendedAttributes.ListAsync();

    public override async ValueTask<byte[]> ReadLinkAsync()
    {
        if (Kind != FileKind.SymbolicLink)
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"{Number} is no symbolic link");
        }

        if (Is(InodeFlags.Encrypted))
        {
            throw new FileSystemException(IoFault.NotSupported, $"{Number}: the target of the link is encrypted, and there is no key");
        }

        try
        {
            return await ReadTargetAsync().ConfigureAwait(false);
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
    }

    private async ValueTask<byte[]> ReadTargetAsync()
    {
        byte[] target = new byte[Size];
        if (IsFastLink)
        {
            _record.BlockField[..target.Length].CopyTo(target);
        }
        else if (HasInlineData)
        {
            ReadInline(target);
        }
        else
        {
            await ReadLinkBlockAsync(target).ConfigureAwait(false);
        }

        return target.AsSpan().Contains((byte)0)
            ? throw new CorruptVolumeException("symbolic link", Number.ToString(), "target", "a text with a zero in it")
            : target;
    }

    /// <summary>Gives a new symbolic link its block. The size is the target's already.</summary>
    public async ValueTask WriteLinkAsync(Handle handle, ReadOnlyMemory<byte> target)
    {
        BlockRun run = await Mapper!.AllocateAsync(handle, default, 1, MapState.Mapped, fromReservation: false).ConfigureAwait(false);
        MetadataBlock block = Volume.Cache.GetNew(run.Volume);
        using (BlockEdit edit = handle.Edit(block))
        {
            target.Span.CopyTo(edit.Bytes);
        }

        block.Unpin();
    }

    public override async ValueTask WriteInlineAsync(ReadOnlyMemory<byte> content)
    {
        if (content.Length > InlineCapacity)
        {
            throw new InvalidOperationException($"{Number} has room for {InlineCapacity} inline bytes, not {content.Length}.");
        }

        await Ext4.ChangeAsync(1, handle =>
        {
            WriteInlineBytes(handle, content.Span);
            StoredSize = Math.Max(StoredSize, content.Length);
            return StoreAsync(handle);
        }).ConfigureAwait(false);
    }

    public override async ValueTask ConvertFromInlineAsync()
    {
        if (!HasInlineData)
        {
            return;
        }

        byte[] contents = ReadInlineBytes();
        try
        {
            await MoveToBlocksAsync(contents).ConfigureAwait(false);
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NoSpace)
        {
            if (!await Volume.TryMakeRoomAsync().ConfigureAwait(false))
            {
                throw;
            }

            await MoveToBlocksAsync(contents).ConfigureAwait(false);
        }
    }

    private ValueTask MoveToBlocksAsync(byte[] contents) => Ext4.ChangeAsync(CreditsForFirstBlock + 1, async handle =>
    {
        await LeaveInlineAsync(handle, () => contents.Length > 0 ? WriteFirstBlockAsync(handle, contents) : ValueTask.CompletedTask).ConfigureAwait(false);
        await StoreAsync(handle).ConfigureAwait(false);
    });

    /// <summary>
    /// Turns the inode into one with blocks, and none yet; <paramref name="fill"/> moves the contents to them. If that fails they lie in the inode as before.
    /// The caller stores the inode in the same handle.
    /// </summary>
    public async ValueTask LeaveInlineAsync(Handle handle, Func<ValueTask> fill)
    {
        (byte[] blockField, byte[] area, long size, long storedSize) = (_record.BlockField.ToArray(), _record.AttributeArea.ToArray(), Size, StoredSize);
        LeaveInline();
        try
        {
            await fill().ConfigureAwait(false);
        }
        catch
        {
            lock (_record)
            {
                _record.Flags = (_record.Flags & ~InodeFlags.Extents) | InodeFlags.InlineContents;
                blockField.CopyTo(_record.BlockField);
                area.CopyTo(_record.AttributeArea);
                Volatile.Write(ref _mapper, null);
            }

            (Size, StoredSize) = (size, storedSize);
            await StoreAsync(handle).ConfigureAwait(false);
            throw;
        }
    }

    private void LeaveInline()
    {
        lock (_record)
        {
            _record.BlockField.Clear();
            ExtendedAttributes.RemoveInlineValue();
            _record.Flags &= ~InodeFlags.InlineContents;
            if (Volume.Superblock.Has(IncompatFeatures.Extents))
            {
                _record.Flags |= InodeFlags.Extents;
                Extents.ExtentTree.WriteEmptyRoot(_record.BlockField);
            }
        }

        MarkAttributesDirty();
    }

    private async ValueTask WriteFirstBlockAsync(Handle handle, byte[] contents)
    {
        BlockRun run = await Ext4Mapper!.AllocateAsync(handle, default, 1, MapState.Mapped, fromReservation: false).ConfigureAwait(false);
        try
        {
            await WriteDataBlockAsync(run.Volume, contents).ConfigureAwait(false);
        }
        catch
        {
            AddSectors(-(long)Volume.Geometry.ClusterRatio * Ext4.BlockSize / BytesPerSector);
            await Volume.Blocks.FreeAsync(handle, run.Volume, 1).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Puts what was inline on the device before the inode points there, so that no crash shows what the block held before.</summary>
    private async ValueTask WriteDataBlockAsync(VolumeBlock block, byte[] contents)
    {
        using var buffer = new AlignedBuffer(Ext4.BlockSize, Math.Max(Volume.Device.MemoryAlignment, 512));
        contents.CopyTo(buffer.GetSpan());
        IoResult result = await Volume.Device.WriteAsync((long)block.Value * Ext4.BlockSize, buffer.Segment).ConfigureAwait(false);
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, Volume.Device.Name, "a block could not be written", (long)block.Value * Ext4.BlockSize);
        }
    }

    private async ValueTask ReadLinkBlockAsync(byte[] target)
    {
        BlockRun run = await Mapper!.MapAsync(default, 1).ConfigureAwait(false);
        Require(run.State == MapState.Mapped, Number, "block map", "a hole for the target of a symbolic link");
        MetadataBlock block = await Volume.Cache.GetAsync(run.Volume).ConfigureAwait(false);
        block.Bytes[..target.Length].CopyTo(target);
        block.Unpin();
    }

    private int RequireInlineSize()
    {
        try
        {
            // What is stored: a longer content may wait in the cache for its place here.
            InlineContents.CheckSize((ulong)StoredSize, ExtendedAttributes.InlineValue.Length, Number);
            return (int)Size;
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
    }

    private void CopyInline(Span<byte> destination)
    {
        int inBlockField = Math.Min(destination.Length, InodeRecord.BlockFieldSize);
        lock (_record)
        {
            _record.BlockField[..inBlockField].CopyTo(destination);
            ReadOnlySpan<byte> value = ExtendedAttributes.InlineValue;
            int inValue = Math.Min(destination.Length - inBlockField, value.Length);
            value[..inValue].CopyTo(destination[inBlockField..]);
            destination[(inBlockField + inValue)..].Clear();
        }
    }
}

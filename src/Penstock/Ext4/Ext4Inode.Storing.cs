using System.Runtime.CompilerServices;
using Penstock.Execution;
using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;

namespace Penstock.Ext4;

/// <content>Storing the record.</content>
internal sealed partial class Ext4Inode
{
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    protected override async ValueTask StoreRecordAsync(Handle handle)
    {
        MetadataBlock block = await Volume.Cache.GetAsync(_tableBlock).ConfigureAwait(false);
        try
        {
            StoreInto(handle, block);
        }
        finally
        {
            block.Unpin();
        }
    }

    /// <summary>Puts the record into its block. With <paramref name="isLast"/> the inode is free from here on: nobody stores it again.</summary>
    private void StoreInto(Handle handle, MetadataBlock block, bool isLast = false)
    {
        using BlockEdit edit = handle.Edit(block);
        if (IsRetired)
        {
            return;
        }

        lock (_record)
        {
            PutAttributes(Attributes);
            _record.WriteTo(edit.Bytes.Slice(_location.OffsetInBlock, _record.InodeSize), Number, Volume.Checksum);
        }

        if (isLast)
        {
            Retire();
        }
    }

    private void PutAttributes(InodeAttributes attributes)
    {
        _record.Mode = attributes.Mode;
        _record.Uid = attributes.UserId;
        _record.Gid = attributes.GroupId;
        _record.ProjectId = attributes.ProjectId;
        _record.LinkCount = checked((ushort)attributes.Links);
        _record.Accessed = attributes.AccessTime;
        _record.Modified = attributes.ModifyTime;
        _record.Born = attributes.BirthTime;
        _record.Generation = attributes.Generation;
        _record.Flags = InodeFlagMap.Apply(_record.Flags, attributes.Flags);
        if (!Is(InodeFlags.ExtendedAttributeInode))
        {
            // Of an inode that holds an attribute's value, this field and the version count its users.
            _record.Changed = attributes.ChangeTime;
        }

        PutSizes();
    }

    private void PutSizes()
    {
        long size = StoredSize;
        _record.Size = (ulong)size;
        if (size > int.MaxValue && Kind == FileKind.Regular)
        {
            Ext4.NoteLargeFile();
        }

        bool hasHugeFile = Volume.Superblock.Has(ReadOnlyCompatFeatures.HugeFile);
        if (!_record.TrySetAllocatedBytes(Sectors * BytesPerSector, Volume.Geometry.BlockSize, hasHugeFile))
        {
            throw new FileSystemException(IoFault.FileTooLarge, $"{Number}: the volume cannot count so many blocks of one file");
        }
    }
}

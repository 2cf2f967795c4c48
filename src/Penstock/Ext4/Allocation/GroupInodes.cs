using System.Runtime.InteropServices;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// What is done to the inode bitmap of one group. Members that do not wait need the group's latch.
/// </summary>
/// <remarks>
/// A lazily made volume leaves inode tables unwritten: inodes from the end of the used part (bg_itable_unused) on are never looked at, and
/// may be anything. So inodes are taken from the lowest, and the first of a block zeroes the block.
/// </remarks>
internal sealed class GroupInodes(Ext4Volume volume)
{
    private VolumeGeometry Geometry => volume.Geometry;

    /// <summary>The group with its descriptor and inode bitmap in memory; no bitmap where it was never written.</summary>
    /// <exception cref="CorruptVolumeException">The group is damaged.</exception>
    public async ValueTask<OpenGroup> OpenAsync(Group group)
    {
        if (group.Damage is { } damage)
        {
            throw damage;
        }

        MetadataBlock descriptor = await volume.Cache.GetAsync(group.DescriptorBlock).ConfigureAwait(false);
        bool isUninit;
        lock (group)
        {
            isUninit = IsUninit(group);
        }

        try
        {
            MetadataBlock? bitmap = isUninit ? null : await volume.Cache.GetAsync(group.InodeBitmap).ConfigureAwait(false);
            return new OpenGroup(group, descriptor, bitmap);
        }
        catch
        {
            descriptor.Unpin();
            throw;
        }
    }

    /// <summary>Takes the lowest free inode of the group. False if there is none, or another has just made the bitmap.</summary>
    public bool TryTake(Handle handle, in OpenGroup open, bool isDirectory, out uint index)
    {
        Group group = open.Group;
        index = 0;
        if ((open.Bitmap is null && !IsUninit(group)) || group.Descriptor.FreeInodes == 0)
        {
            return false;
        }

        Judge(open);
        uint first = group.Number.Value == 0 ? Geometry.FirstInode - 1 : 0;
        index = open.Bitmap is { } bitmap
            ? BitmapSearch.NextClear(MemoryMarshal.Cast<byte, ulong>(bitmap.Bytes), first, Geometry.InodesPerGroup)
            : first;
        if (index >= Geometry.InodesPerGroup)
        {
            return false;
        }

        Take(handle, open, index, isDirectory);
        return true;
    }

    /// <summary>Takes one inode of the group; false if it is in use.</summary>
    public bool TakeIfFree(Handle handle, in OpenGroup open, uint index, bool isDirectory)
    {
        if (IsInUse(open, index))
        {
            return false;
        }

        Take(handle, open, index, isDirectory);
        return true;
    }

    /// <summary>Whether the bitmap says that an inode is in use.</summary>
    public bool IsInUse(in OpenGroup open, uint index)
    {
        Judge(open);
        return open.Bitmap is { } bitmap && BitmapSearch.IsAllSet(MemoryMarshal.Cast<byte, ulong>(bitmap.Bytes), new ClusterRange(index, 1));
    }

    /// <summary>Marks an inode as free.</summary>
    /// <exception cref="CorruptVolumeException">It is free already; nothing was changed.</exception>
    public void Release(Handle handle, in OpenGroup open, uint index, bool isDirectory)
    {
        Group group = open.Group;
        Judge(open);
        if (open.Bitmap is null || !BitmapSearch.IsAllSet(MemoryMarshal.Cast<byte, ulong>(open.Bitmap.Bytes), new ClusterRange(index, 1)))
        {
            throw Damaged(group, "bit", $"clear for inode {Geometry.InodeAt(group.Number, index).Value}, which is freed");
        }

        using (BlockEdit edit = handle.Edit(open.Bitmap))
        {
            BitmapSearch.Clear(GroupClusters.Words(edit.Bytes), new ClusterRange(index, 1));
            Seal(group, edit.Bytes);
        }

        group.Descriptor.FreeInodes++;
        group.Descriptor.UsedDirectories -= isDirectory && group.Descriptor.UsedDirectories > 0 ? 1u : 0u;
        group.StoreDescriptor(handle, open.Descriptor);
    }

    private void Take(Handle handle, in OpenGroup open, uint index, bool isDirectory)
    {
        Group group = open.Group;
        Mark(handle, open, index);
        ExtendTable(handle, group, index);
        group.Descriptor.FreeInodes--;
        group.Descriptor.UsedDirectories += isDirectory ? 1u : 0u;
        group.StoreDescriptor(handle, open.Descriptor);
    }

    private bool IsUninit(Group group) => volume.GroupChecksum.IsUsed && group.Descriptor.Is(GroupFlags.InodeUninit);

    private void Mark(Handle handle, in OpenGroup open, uint index)
    {
        Group group = open.Group;
        MetadataBlock bitmap = open.Bitmap ?? volume.Cache.GetNew(group.InodeBitmap);
        try
        {
            using BlockEdit edit = handle.Edit(bitmap);
            Span<ulong> words = GroupClusters.Words(edit.Bytes);
            if (IsUninit(group))
            {
                uint padding = ((uint)edit.Bytes.Length * 8) - Geometry.InodesPerGroup;
                BitmapSearch.Set(words, new ClusterRange(Geometry.InodesPerGroup, padding));
                group.Descriptor.Flags &= ~GroupFlags.InodeUninit;
                group.IsInodeBitmapJudged = true;
            }

            BitmapSearch.Set(words, new ClusterRange(index, 1));
            Seal(group, edit.Bytes);
        }
        finally
        {
            if (open.Bitmap is null)
            {
                bitmap.Unpin();
            }
        }
    }

    /// <summary>Counts the inode into the used part of the table; the first of a block that was never written zeroes it.</summary>
    private void ExtendTable(Handle handle, Group group, uint index)
    {
        uint used = Geometry.InodesPerGroup - group.Descriptor.UnusedInodes;
        if (!volume.GroupChecksum.IsUsed || index < used)
        {
            return;
        }

        // One block at most, but for a recovery, which takes the inode that it is told.
        uint first = (used + Geometry.InodesPerBlock - 1) / Geometry.InodesPerBlock;
        for (uint block = first; block <= index / Geometry.InodesPerBlock && !group.Descriptor.Is(GroupFlags.InodeZeroed); block++)
        {
            MetadataBlock table = volume.Cache.GetNew(group.InodeTable + block);
            handle.Edit(table).Dispose();
            table.Unpin();
        }

        group.Descriptor.UnusedInodes = Geometry.InodesPerGroup - index - 1;
    }

    /// <summary>Checks the bitmap, once a load.</summary>
    private void Judge(in OpenGroup open)
    {
        Group group = open.Group;
        if (group.Damage is { } damage)
        {
            throw damage;
        }

        if (open.Bitmap is not { } bitmap || (group.IsInodeBitmapJudged && bitmap.IsJudged))
        {
            return;
        }

        if (volume.GroupChecksum.CoversBitmaps)
        {
            uint computed = volume.GroupChecksum.ComputeBitmap(bitmap.Bytes, Geometry.InodesPerGroup, Geometry.DescriptorSize);
            uint stored = group.Descriptor.InodeBitmapChecksum;
            if (computed != stored)
            {
                throw Damaged(group, "bg_inode_bitmap_csum", $"0x{stored:x}, computed 0x{computed:x}");
            }
        }

        uint free = BitmapSearch.CountClear(MemoryMarshal.Cast<byte, ulong>(bitmap.Bytes), Geometry.InodesPerGroup);
        if (free != group.Descriptor.FreeInodes)
        {
            throw Damaged(group, "free bits", $"{free}, bg_free_inodes_count is {group.Descriptor.FreeInodes}");
        }

        group.IsInodeBitmapJudged = true;
        bitmap.IsJudged = true;
    }

    private void Seal(Group group, ReadOnlySpan<byte> bitmap)
    {
        if (volume.GroupChecksum.CoversBitmaps)
        {
            group.Descriptor.InodeBitmapChecksum =
                volume.GroupChecksum.ComputeBitmap(bitmap, Geometry.InodesPerGroup, Geometry.DescriptorSize);
        }
    }

    private static CorruptVolumeException Damaged(Group group, string field, string value) =>
        group.Condemn(new CorruptVolumeException("inode bitmap", group.ToString(), field, value));
}

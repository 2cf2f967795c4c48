using System.Buffers.Binary;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>A number for a new inode, in use in its bitmap from now on.</summary>
/// <param name="Number">The inode.</param>
/// <param name="Generation">i_generation: tells it from those that had the number before.</param>
internal readonly record struct AllocatedInode(InodeNumber Number, uint Generation);

/// <summary>
/// Takes and frees inodes. A file's lies in the group of its directory, so that they are read together; directories are spread over the volume, so
/// that there is room for what will be in them.
/// </summary>
internal sealed class InodeAllocator(Ext4Volume volume)
{
    /// <summary>The inode bitmap, the descriptor, and the block of the table, which may have to be zeroed.</summary>
    public const int CreditsToAllocate = 3;

    /// <summary>The inode bitmap and the descriptor.</summary>
    public const int CreditsToFree = 2;

    private readonly GroupInodes _inodes = new(volume);
    private readonly DirectorySpread _spread = new(volume);

    private VolumeGeometry Geometry => volume.Geometry;

    /// <summary>Takes an inode. <see cref="CreditsToAllocate"/> credits; a credit for its table block serves to store it too.</summary>
    /// <exception cref="FileSystemException">NoSpace: all inodes are in use.</exception>
    public async ValueTask<AllocatedInode> AllocateAsync(Handle handle, InodeNumber parent, bool isDirectory)
    {
        BlockGroup parentGroup = Geometry.Locate(parent).Group;
        BlockGroup start = isDirectory ? await _spread.ChooseAsync(parent, parentGroup).ConfigureAwait(false) : parentGroup;

        // First where there is room for the file's blocks too, then anywhere.
        for (int pass = 0; pass < 2; pass++)
        {
            for (uint i = 0; i < Geometry.GroupCount; i++)
            {
                var number = new BlockGroup((uint)(((ulong)start.Value + i) % Geometry.GroupCount));
                Group group = await volume.Groups.FindAsync(number).ConfigureAwait(false);
                if (group.FreeInodesHint == 0 || (pass == 0 && group.AvailableHint == 0))
                {
                    continue;
                }

                if (await TryTakeAsync(handle, group, isDirectory).ConfigureAwait(false) is { } index)
                {
                    volume.Space.TakeInode();
                    return new AllocatedInode(Geometry.InodeAt(number, index), DrawGeneration());
                }
            }
        }

        throw new FileSystemException(IoFault.NoSpace, "all inodes of the volume are in use");
    }

    /// <summary>Frees an inode. <see cref="CreditsToFree"/> credits.</summary>
    /// <exception cref="CorruptVolumeException">It is free already, or reserved: nothing was changed.</exception>
    public async ValueTask FreeAsync(Handle handle, InodeNumber inode, bool isDirectory)
    {
        if (!Geometry.Contains(inode) || inode.Value < Geometry.FirstInode)
        {
            throw new CorruptVolumeException("inode", inode.ToString(), "number", "one that is never freed");
        }

        InodeLocation location = Geometry.Locate(inode);
        Group group = await volume.Groups.FindAsync(location.Group).ConfigureAwait(false);
        OpenGroup open = await _inodes.OpenAsync(group).ConfigureAwait(false);
        try
        {
            lock (group)
            {
                _inodes.Release(handle, open, location.Index, isDirectory);
            }
        }
        finally
        {
            open.Close();
        }

        volume.Space.AddInode();
    }

    /// <summary>
    /// Sees to it that a known inode is in use, for a recovery that is told its number; whether it was free until now.
    /// <see cref="CreditsToClaim"/> credits.
    /// </summary>
    public async ValueTask<bool> ClaimAsync(Handle handle, InodeNumber inode, bool isDirectory)
    {
        InodeLocation location = Geometry.Locate(inode);
        Group group = await volume.Groups.FindAsync(location.Group).ConfigureAwait(false);
        OpenGroup open = await _inodes.OpenAsync(group).ConfigureAwait(false);
        bool isTaken;
        try
        {
            lock (group)
            {
                isTaken = _inodes.TakeIfFree(handle, open, location.Index, isDirectory);
            }
        }
        finally
        {
            open.Close();
        }

        if (isTaken)
        {
            volume.Space.TakeInode();
        }

        return isTaken;
    }

    /// <summary>Whether an inode is in use in its bitmap.</summary>
    public async ValueTask<bool> IsInUseAsync(InodeLocation location)
    {
        Group group = await volume.Groups.FindAsync(location.Group).ConfigureAwait(false);
        OpenGroup open = await _inodes.OpenAsync(group).ConfigureAwait(false);
        try
        {
            lock (group)
            {
                return _inodes.IsInUse(open, location.Index);
            }
        }
        finally
        {
            open.Close();
        }
    }

    /// <summary>As <see cref="CreditsToAllocate"/>, and every block of the group's table before the inode's.</summary>
    public int CreditsToClaim => CreditsToAllocate + (int)(Geometry.InodesPerGroup / Geometry.InodesPerBlock);

    private async ValueTask<uint?> TryTakeAsync(Handle handle, Group group, bool isDirectory)
    {
        OpenGroup open = await _inodes.OpenAsync(group).ConfigureAwait(false);
        try
        {
            lock (group)
            {
                return _inodes.TryTake(handle, open, isDirectory, out uint index) ? index : null;
            }
        }
        catch (CorruptVolumeException) when (group.Damage is not null)
        {
            // The group is condemned now: the next one may do.
            return null;
        }
        finally
        {
            open.Close();
        }
    }

    private uint DrawGeneration()
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        volume.Scheduler.FillRandom(bytes);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }
}

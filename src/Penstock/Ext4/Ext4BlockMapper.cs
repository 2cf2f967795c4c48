using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Locking;
using Penstock.Mapping;

namespace Penstock.Ext4;

/// <summary>
/// What both kinds of ext4's mappers share: the mapping lock, the cache of runs, reservations, and the removals behind
/// <see cref="Files.Inode"/>'s members.
/// </summary>
/// <remarks>
/// Invariants: (1) what the cache holds is what the tree says, or was until a change that is under way with the lock held exclusively;
/// (2) nobody waits for room in the log while he holds the lock: a handle that must restart lets the lock go first.
/// </remarks>
internal abstract class Ext4BlockMapper : BlockMapper
{
    protected Ext4BlockMapper(Ext4Volume volume, IBlockMapOwner owner)
    {
        Volume = volume;
        Owner = owner;
        Lock = new SharedLock(volume.Scheduler, LockRank.Mapping, owner.Number.Value);
    }

    public override int BlockSize => Volume.Geometry.BlockSize;

    protected Ext4Volume Volume { get; }

    protected IBlockMapOwner Owner { get; }

    /// <summary>The mapping lock: shared by look-ups that read the tree, exclusive for its changes.</summary>
    protected SharedLock Lock { get; }

    /// <summary>
    /// Frees the blocks of a range, in handles of its own, from its end to its start; consistent between any two of them. Inode lock, gate and
    /// invalidation lock are held exclusively, except by a directory, whose inode lock is enough. The inode is stored with each step.
    /// </summary>
    public abstract ValueTask RemoveAsync(FileBlock first, ulong count);

    /// <summary>Makes allocated blocks of the range read as zeros: unwritten where the format can, else removed. As <see cref="RemoveAsync"/>.</summary>
    public abstract ValueTask ZeroAsync(FileBlock first, ulong count);

    /// <summary>Removes the range and moves what follows down. As <see cref="RemoveAsync"/>.</summary>
    /// <exception cref="FileSystemException">NotSupported, or InvalidArgument where clusters would be split.</exception>
    public abstract ValueTask CollapseAsync(FileBlock first, ulong count);

    /// <summary>Moves what starts at <paramref name="first"/> up by <paramref name="count"/> blocks. As <see cref="RemoveAsync"/>.</summary>
    /// <exception cref="FileSystemException">NotSupported, FileTooLarge, or InvalidArgument where clusters would be split.</exception>
    public abstract ValueTask InsertAsync(FileBlock first, ulong count);

    /// <summary>The last file was closed or the inode leaves the memory: gives up the claim on free blocks after the file.</summary>
    public abstract void ReleaseWindow();

    public override ValueTask<bool> TryMakeRoomAsync() => Volume.TryMakeRoomAsync();

    protected FileSystemException NoSpace() => new(IoFault.NoSpace, $"{Owner.Number}: {IoFault.NoSpace.Describe()}");
}

using Penstock.Ext4.Allocation;
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
        Reservation = new MapReservation(volume.Space, EstimateNodes);
    }

    public override int BlockSize => Volume.Geometry.BlockSize;

    protected Ext4Volume Volume { get; }

    protected IBlockMapOwner Owner { get; }

    /// <summary>The mapping lock: shared by look-ups that read the tree, exclusive for its changes.</summary>
    protected SharedLock Lock { get; }

    /// <summary>The runs that were looked up.</summary>
    protected RunCache Cache { get; } = new();

    /// <summary>What was promised to writeback.</summary>
    protected MapReservation Reservation { get; }

    public override IoFault TryReserve(ulong count) => Reservation.TryReserve(count) ? IoFault.None : IoFault.NoSpace;

    public override void CancelReservation(ulong count) => Reservation.Cancel(count);

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

    protected FileSystemException NoSpace() => new(IoFault.NoSpace, $"{Owner.Number}: {IoFault.NoSpace.Describe()}");

    /// <summary>The most nodes that mapping so many more blocks can add. Called without a lock.</summary>
    protected abstract ulong EstimateNodes(ulong blocks);

    /// <summary>Works on a range from its end to its start, as many steps in a handle as it has credits for.</summary>
    protected async ValueTask StepBackAsync(
        FileBlock first, ulong count, int stepCredits, Func<Handle, ulong, ulong, ValueTask<ulong>> step)
    {
        const int StepsPerHandle = 4;
        ulong end = count > MaxBlocks - Math.Min(first.Value, MaxBlocks) ? MaxBlocks : first.Value + count;
        Handle? handle = null;
        try
        {
            handle = await Volume.Journal.BeginAsync(stepCredits * StepsPerHandle).ConfigureAwait(false);
            while (end > first.Value)
            {
                end = await StepsAsync(handle, first.Value, end, stepCredits, step).ConfigureAwait(false);
                if (end > first.Value)
                {
                    await handle.RestartAsync(stepCredits * StepsPerHandle).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            handle?.Stop();
        }
    }

    private async ValueTask<ulong> StepsAsync(
        Handle handle, ulong first, ulong end, int stepCredits, Func<Handle, ulong, ulong, ValueTask<ulong>> step)
    {
        await Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            Cache.Drop(new FileBlock(first), end - first);
            while (end > first && handle.CreditsLeft >= stepCredits)
            {
                end = await step(handle, first, end).ConfigureAwait(false);
            }

            return end;
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
        finally
        {
            Lock.ReleaseExclusive();
        }
    }

    /// <summary>An allocation came to nothing: what was taken goes back.</summary>
    protected async ValueTask GiveBackAsync(Handle handle, BlockSpan taken)
    {
        if (taken.Count > 0)
        {
            Owner.AddSectors(-((long)taken.Count << (Volume.Geometry.LogBlockSize - 9)));
            await Volume.Blocks.FreeAsync(handle, taken.First, taken.Count).ConfigureAwait(false);
        }
    }
}

using Penstock.Caching;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>
/// Changes which blocks stand behind a range: preallocation, punched holes, zeroed ranges, collapsed and inserted ones (fallocate). Each takes the
/// inode lock; what removes or moves blocks drains direct I/O and excludes fills of the cache (Rules 2.8 and 2.9). The errors are those of Linux on ext4.
/// </summary>
internal static class FallocatePath
{
    /// <summary>What one handle allocates at most.</summary>
    private const ulong BlocksAtOnce = 32768;

    /// <summary>
    /// Allocates blocks for the holes of a range, so that writes there cannot fail for lack of space; they read as zeros. Extends the file
    /// over the range unless <paramref name="keepsSize"/>.
    /// </summary>
    /// <exception cref="FileSystemException">NotSupported for block-mapped files, NoSpace, FileTooLarge, InvalidArgument.</exception>
    public static ValueTask AllocateAsync(Inode inode, long offset, long length, bool keepsSize, bool keepsSetId = false) =>
        RunAsync(inode, offset, length, new Nature(NeedsExtents: true, RemovesContent: false, keepsSetId), async end =>
        {
            await InlineConversion.RunAsync(inode).ConfigureAwait(false);
            await AllocateBlocksAsync(inode, offset, end).ConfigureAwait(false);
            await ExtendAsync(inode, end, keepsSize).ConfigureAwait(false);
        });

    /// <summary>Frees the whole blocks of a range and zeroes the rest of it. The size stays; what is preallocated beyond it does too.</summary>
    /// <exception cref="FileSystemException">InvalidArgument, FileTooLarge, or what the device or the volume met.</exception>
    public static ValueTask PunchAsync(Inode inode, long offset, long length, bool keepsSetId = false) =>
        RunAsync(inode, offset, length, new Nature(NeedsExtents: false, RemovesContent: true, keepsSetId), async end =>
        {
            if (offset >= inode.Size)
            {
                return;
            }

            await InlineConversion.RunAsync(inode).ConfigureAwait(false);
            end = Math.Min(end, RoundUp(inode, inode.Size));
            await RemoveContentAsync(inode, offset, end, static (i, first, count) => i.PunchBlocksAsync(first, count)).ConfigureAwait(false);
        });

    /// <summary>Makes a range read as zeros and allocates its holes; extends the file over it unless <paramref name="keepsSize"/>.</summary>
    /// <exception cref="FileSystemException">As for <see cref="AllocateAsync"/>.</exception>
    public static ValueTask ZeroRangeAsync(Inode inode, long offset, long length, bool keepsSize, bool keepsSetId = false) =>
        RunAsync(inode, offset, length, new Nature(NeedsExtents: true, RemovesContent: true, keepsSetId), async end =>
        {
            await InlineConversion.RunAsync(inode).ConfigureAwait(false);
            await RemoveContentAsync(inode, offset, end, static (i, first, count) => i.ZeroBlocksAsync(first, count)).ConfigureAwait(false);
            await AllocateBlocksAsync(inode, offset, end).ConfigureAwait(false);
            await ExtendAsync(inode, end, keepsSize).ConfigureAwait(false);
        });

    /// <summary>Takes a range of whole blocks out of the file; what follows moves down and the file gets shorter.</summary>
    /// <exception cref="FileSystemException">InvalidArgument where offset or length is no multiple of a block, or the range reaches the end of the file.</exception>
    public static ValueTask CollapseAsync(Inode inode, long offset, long length) =>
        RunAsync(inode, offset, length, new Nature(NeedsExtents: true, RemovesContent: true, KeepsSetId: false), async end =>
        {
            RequireWholeBlocks(inode, offset, length);
            Require(end < inode.Size, IoFault.InvalidArgument, inode, "the range reaches the end of the file");
            await ShiftAsync(inode, offset, -length, static (i, first, count) => i.CollapseBlocksAsync(first, count)).ConfigureAwait(false);
        });

    /// <summary>Puts a hole of whole blocks into the file; what follows moves up and the file gets longer.</summary>
    /// <exception cref="FileSystemException">InvalidArgument where offset or length is no multiple of a block, or the offset is not inside the file;
    /// FileTooLarge.</exception>
    public static ValueTask InsertAsync(Inode inode, long offset, long length) =>
        RunAsync(inode, offset, length, new Nature(NeedsExtents: true, RemovesContent: true, KeepsSetId: false), async _ =>
        {
            RequireWholeBlocks(inode, offset, length);
            Require(length <= inode.FileSystem.MaxFileSize - inode.Size, IoFault.FileTooLarge, inode, "the file would be too large");
            Require(offset < inode.Size, IoFault.InvalidArgument, inode, "the offset is not inside the file");
            await ShiftAsync(inode, offset, length, static (i, first, count) => i.InsertBlocksAsync(first, count)).ConfigureAwait(false);
        });

    /// <summary>What all have in common: checks, the inode lock, privileges and times.</summary>
    private static async ValueTask RunAsync(Inode inode, long offset, long length, Nature nature, Func<long, ValueTask> change)
    {
        Require(offset >= 0 && length > 0, IoFault.InvalidArgument, inode, "offset or length is out of range");
        if (nature.RemovesContent)
        {
            FileChecks.MayTruncate(inode);
        }
        else
        {
            FileChecks.MayChange(inode);
        }

        Require(inode.Kind == FileKind.Regular, IoFault.NoSuchRange, inode, "not a regular file");
        Require(!nature.NeedsExtents || inode.Mapper is not { CanBeUnwritten: false }, IoFault.NotSupported, inode, "a block-mapped file cannot do that");
        Require(length <= inode.FileSystem.MaxFileSize - offset, IoFault.FileTooLarge, inode, "the range is beyond the largest file size");
        await inode.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            if (Privileges.AreToBeCleared(inode, nature.KeepsSetId))
            {
                await Privileges.ClearAsync(inode, nature.KeepsSetId).ConfigureAwait(false);
            }

            await change(offset + length).ConfigureAwait(false);
            FileTimes.Modified(inode);
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }
    }

    private static async ValueTask AllocateBlocksAsync(Inode inode, long offset, long end)
    {
        // Delayed blocks get theirs first: a writeback that meets blocks which were not there when it looked would not know whose its
        // reservation is. Nobody makes the range dirty again while the inode lock is held.
        IoFault fault = await inode.Pages!.WriteBackAsync(offset, end - offset).ConfigureAwait(false);
        Require(fault == IoFault.None, fault, inode, "dirty pages could not be written back");
        BlockMapper mapper = inode.Mapper!;
        ulong blockSize = (ulong)mapper.BlockSize;
        var next = new FileBlock((ulong)offset / blockSize);
        var last = new FileBlock(((ulong)end + blockSize - 1) / blockSize);
        bool hasMadeRoom = false;
        while (next < last)
        {
            BlockRun run = await mapper.MapAsync(next, last - next).ConfigureAwait(false);
            if (run.State == MapState.Hole)
            {
                try
                {
                    run = await AllocateHoleAsync(inode, run).ConfigureAwait(false);
                }
                catch (FileSystemException e) when (e.Fault == IoFault.NoSpace && !hasMadeRoom)
                {
                    hasMadeRoom = true;
                    await FileSystemWriteback.MakeRoomAsync(inode.FileSystem).ConfigureAwait(false);
                    continue;
                }
            }

            next = run.End;
        }
    }

    private static async ValueTask<BlockRun> AllocateHoleAsync(Inode inode, BlockRun hole)
    {
        BlockMapper mapper = inode.Mapper!;
        ulong count = Math.Min(hole.Count, BlocksAtOnce);
        Handle handle = await inode.FileSystem.Journal.BeginAsync(mapper.CreditsToAllocate(count)).ConfigureAwait(false);
        try
        {
            return await mapper.AllocateAsync(handle, hole.First, count, MapState.Unwritten, fromReservation: false).ConfigureAwait(false);
        }
        finally
        {
            handle.Stop();
        }
    }

    private static ValueTask ExtendAsync(Inode inode, long end, bool keepsSize) =>
        keepsSize || end <= inode.Size ? ValueTask.CompletedTask : TruncatePath.SetSizeLockedAsync(inode, end);

    /// <summary>Drops a range from the cache and lets the format do <paramref name="change"/> with its whole blocks; zeroes the edges.</summary>
    private static async ValueTask RemoveContentAsync(
        Inode inode, long offset, long end, Func<Inode, FileBlock, ulong, ValueTask> change)
    {
        int blockSize = inode.FileSystem.BlockSize;
        long size = inode.Size;
        long first = RoundUp(inode, offset);

        // The last block of the file is whole if the range reaches the end of the file: what is beyond it is no content.
        long last = end >= size ? RoundUp(inode, end) : end & -blockSize;
        var locks = new RemovalLocks(inode);
        try
        {
            await locks.DrainAsync(Rule.PunchDrainsGate).ConfigureAwait(false);
            if (last < first)
            {
                await PageWriter.ZeroAsync(inode, offset, Math.Min(end, size)).ConfigureAwait(false);
                return;
            }

            await PageWriter.ZeroAsync(inode, offset, Math.Min(first, size)).ConfigureAwait(false);
            await PageWriter.ZeroAsync(inode, last, Math.Min(end, size)).ConfigureAwait(false);
            if (last > first)
            {
                await locks.ExcludeFillsAsync().ConfigureAwait(false);
                await StoreSizeBeforeRemovalAsync(inode, first, last).ConfigureAwait(false);
                if (!inode.FileSystem.Scheduler.IsBroken(Rule.RemovalDropsPages))
                {
                    await inode.Pages!.RemoveAsync(first, last - first).ConfigureAwait(false);
                }

                ulong count = (ulong)(last - first) / (ulong)blockSize;
                await change(inode, new FileBlock((ulong)(first / blockSize)), count).ConfigureAwait(false);
            }
        }
        finally
        {
            locks.Release();
        }
    }

    /// <summary>
    /// The size is stored by the writeback of the pages before it. Where those are removed, dirty, nothing else would ever store it, so it is stored now;
    /// what lies before them goes to the device first, since the stored size lets it be read after a crash.
    /// </summary>
    private static async ValueTask StoreSizeBeforeRemovalAsync(Inode inode, long first, long last)
    {
        long stored = inode.StoredSize;
        if (stored >= Math.Min(last, inode.Size))
        {
            return;
        }

        IoFault fault = first > stored
            ? await inode.Pages!.WriteBackAsync(stored, first - stored).ConfigureAwait(false)
            : IoFault.None;
        Require(fault == IoFault.None, fault, inode, "dirty pages could not be written back");
        inode.Pages!.AdvanceStoredSize(last);
    }

    /// <summary>Moves the blocks from <paramref name="offset"/> on, by <paramref name="delta"/> bytes.</summary>
    private static async ValueTask ShiftAsync(
        Inode inode, long offset, long delta, Func<Inode, FileBlock, ulong, ValueTask> change)
    {
        FilePages pages = inode.Pages!;
        int blockSize = inode.FileSystem.BlockSize;
        await InlineConversion.RunAsync(inode).ConfigureAwait(false);
        var locks = new RemovalLocks(inode);
        try
        {
            await locks.DrainAsync(Rule.PunchDrainsGate).ConfigureAwait(false);

            // Delayed blocks have no place that could be moved, so they get one; then nothing in the cache from here on is where it was.
            long start = offset / pages.PageSize * pages.PageSize;
            IoFault fault = await pages.WriteBackAsync(start, long.MaxValue).ConfigureAwait(false);
            Require(fault == IoFault.None, fault, inode, "dirty pages could not be written back");
            await locks.ExcludeFillsAsync().ConfigureAwait(false);
            bool isGone = inode.FileSystem.Scheduler.IsBroken(Rule.ShiftDropsPages)
                || await pages.InvalidateAsync(start, long.MaxValue).ConfigureAwait(false);
            Require(isGone, IoFault.Busy, inode, "dirty pages could not be dropped");
            await change(inode, new FileBlock((ulong)(offset / blockSize)), (ulong)(Math.Abs(delta) / blockSize)).ConfigureAwait(false);
            TruncatePath.PublishSizes(inode, inode.Size + delta);
        }
        finally
        {
            locks.Release();
        }
    }

    private static long RoundUp(Inode inode, long offset) =>
        (offset + inode.FileSystem.BlockSize - 1) & -inode.FileSystem.BlockSize;

    private static void RequireWholeBlocks(Inode inode, long offset, long length) =>
        Require(((offset | length) & (inode.FileSystem.BlockSize - 1)) == 0, IoFault.InvalidArgument, inode, "the range is no whole blocks");

    private static void Require(bool condition, IoFault fault, Inode inode, string problem)
    {
        if (!condition)
        {
            throw new FileSystemException(fault, $"{inode}: {problem}");
        }
    }

    /// <summary>What an operation is by its kind.</summary>
    /// <param name="NeedsExtents">Whether a block-mapped file cannot do it.</param>
    /// <param name="RemovesContent">Whether bytes go that were there: an append-only file forbids it.</param>
    /// <param name="KeepsSetId">Whether the caller may keep setuid and setgid on the file.</param>
    private readonly record struct Nature(bool NeedsExtents, bool RemovesContent, bool KeepsSetId);
}

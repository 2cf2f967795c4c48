using Penstock.Caching;
using Penstock.Execution;

namespace Penstock.Files;

/// <summary>Changes the size of a file (Rules 1.21 and 2.8): inode lock, gate, invalidation lock, in this order, released in reverse.</summary>
internal static class TruncatePath
{
    /// <summary>Cuts the file, or extends it with zeros. Takes all locks itself; also updates the times, and takes privileges away.</summary>
    /// <exception cref="FileSystemException">FileTooLarge, DeviceFailed, or what freeing blocks met; the error of the first step that failed is kept.</exception>
    public static async ValueTask SetSizeAsync(Inode inode, long newSize, bool keepsSetId = false)
    {
        if (newSize > inode.FileSystem.MaxFileSize)
        {
            throw new FileSystemException(IoFault.FileTooLarge, $"{inode}: {newSize} bytes are beyond the largest file size");
        }

        await inode.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            if (Privileges.AreToBeCleared(inode, keepsSetId))
            {
                await Privileges.ClearAsync(inode, keepsSetId).ConfigureAwait(false);
            }

            await SetSizeLockedAsync(inode, newSize).ConfigureAwait(false);
            FileTimes.Modified(inode);
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }
    }

    /// <summary>As <see cref="SetSizeAsync"/>, with the inode lock held exclusively; neither times nor privileges.</summary>
    public static ValueTask SetSizeLockedAsync(Inode inode, long newSize) =>
        newSize > inode.Size ? GrowAsync(inode, newSize)
        : newSize < inode.Size ? ShrinkAsync(inode, newSize)
        : ValueTask.CompletedTask;

    /// <summary>Sets size and stored size together. The inode lock is held exclusively.</summary>
    internal static void PublishSizes(Inode inode, long size)
    {
        inode.Pages!.ChangeSizes(
            (inode, size),
            static change =>
            {
                change.inode.Size = change.size;
                change.inode.StoredSize = change.size;
            });
        inode.MarkAttributesDirty();
    }

    /// <summary>What is added reads as zeros: nothing is allocated for it.</summary>
    private static async ValueTask GrowAsync(Inode inode, long newSize)
    {
        if (inode.HasInlineData)
        {
            if (newSize <= inode.InlineCapacity)
            {
                // The inode stores size and content together: writeback of page 0 does.
                inode.Size = newSize;
                await PageWriter.TouchInlineAsync(inode).ConfigureAwait(false);
                return;
            }

            await InlineConversion.RunAsync(inode).ConfigureAwait(false);
        }

        if (!inode.FileSystem.Scheduler.IsBroken(Rule.GapIsZeroed))
        {
            // Rule 2.11: the rest of the last block becomes readable.
            await BufferedPath.ZeroGapAsync(inode, inode.Size, newSize).ConfigureAwait(false);
        }

        PublishSizes(inode, newSize);
    }

    private static async ValueTask ShrinkAsync(Inode inode, long newSize)
    {
        FilePages pages = inode.Pages!;
        int blockSize = inode.FileSystem.BlockSize;
        if (inode.HasInlineData && await pages.WriteBackAsync(0, pages.PageSize).ConfigureAwait(false) is not IoFault.None and IoFault fault)
        {
            // First as it is, since the inode has a place for no more than was stored in it.
            throw new FileSystemException(fault, $"{inode}: inline content could not be written: {fault.Describe()}");
        }

        var locks = new RemovalLocks(inode);
        try
        {
            await locks.DrainAsync(Rule.TruncateDrainsGate).ConfigureAwait(false);
            long blockEnd = (newSize + blockSize - 1) & -blockSize;
            if (!inode.FileSystem.Scheduler.IsBroken(Rule.TailIsZeroed))
            {
                await PageWriter.ZeroAsync(inode, newSize, Math.Min(blockEnd, inode.Size)).ConfigureAwait(false);
            }

            await locks.ExcludeFillsAsync().ConfigureAwait(false);

            // The size first: from here on nobody reads, fills or writes back what is about to go.
            pages.ChangeSizes((inode, newSize), static change => change.inode.Size = change.newSize);
            await pages.RemoveAsync(inode.HasInlineData ? newSize : blockEnd, long.MaxValue).ConfigureAwait(false);
            await inode.TruncateBlocksAsync(newSize).ConfigureAwait(false);
            inode.MarkAttributesDirty();
        }
        finally
        {
            locks.Release();
        }
    }
}

using System.Runtime.CompilerServices;
using Penstock.Caching;
using Penstock.Execution;
using Penstock.Journal;

namespace Penstock.Files;

/// <summary>Brings what was written to stable storage: data, then what is needed to read it back, then the device's own cache.</summary>
internal static class SyncPath
{
    /// <summary>
    /// fsync, or with <paramref name="dataOnly"/> fdatasync, of one open file, whose <paramref name="cursor"/> says which errors it was told of.
    /// Every step is tried, and the device flushed even if no metadata changed.
    /// </summary>
    /// <exception cref="FileSystemException">Something is not on stable storage, or an earlier write-back failed that this open file has not been
    /// told of (Rule 2.16).</exception>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    public static async ValueTask FsyncAsync(Inode inode, bool dataOnly, ErrorCursor cursor)
    {
        FilePages? pages = inode.Pages;
        if (inode.FileSystem.SyncsAllData)
        {
            // What fails of another file is told to those who have that one open.
            _ = await FileSystemWriteback.RunAsync(inode.FileSystem).ConfigureAwait(false);
        }

        IoFault fault = pages is null ? IoFault.None : await pages.WriteBackAsync(0, long.MaxValue).ConfigureAwait(false);
        await AwaitRemovalAsync(inode).ConfigureAwait(false);
        try
        {
            long failedStores;
            do
            {
                failedStores = inode.FileSystem.Inodes.FailedStores;
                if (!inode.FileSystem.IsReadOnly)
                {
                    await StoreAttributesAsync(inode, dataOnly).ConfigureAwait(false);
                }

                await CommitAndFlushAsync(inode.FileSystem).ConfigureAwait(false);
            }
            while (failedStores != inode.FileSystem.Inodes.FailedStores);
        }
        finally
        {
            // Told once: this call reports it, whatever else it has to report.
            IoFault recorded = pages?.Errors.Check(cursor) ?? IoFault.None;
            fault = recorded != IoFault.None ? recorded : StillFailing(pages, fault);
        }

        if (fault != IoFault.None)
        {
            throw new FileSystemException(fault, $"sync of {inode}: data could not be written: {fault.Describe()}");
        }
    }

    /// <summary>syncfs: everything of a volume.</summary>
    /// <exception cref="FileSystemException">Something is not on stable storage.</exception>
    public static async ValueTask SyncFileSystemAsync(FileSystem fileSystem)
    {
        IoFault fault = await FileSystemWriteback.RunAsync(fileSystem).ConfigureAwait(false);
        foreach (Inode inode in fileSystem.Removals.Snapshot())
        {
            await AwaitRemovalAsync(inode).ConfigureAwait(false);
        }

        long failedStores;
        do
        {
            failedStores = fileSystem.Inodes.FailedStores;
            if (!fileSystem.IsReadOnly)
            {
                await fileSystem.Inodes.StoreDirtyAsync().ConfigureAwait(false);
            }

            await CommitAndFlushAsync(fileSystem).ConfigureAwait(false);
        }
        while (failedStores != fileSystem.Inodes.FailedStores);

        if (fault != IoFault.None)
        {
            throw new FileSystemException(fault, $"sync of the volume: data could not be written: {fault.Describe()}");
        }
    }

    /// <summary>
    /// What a truncate or a punch has dropped of the cache nobody writes back: until the change itself is in a transaction, a loss of power would bring back what was there
    /// before the data that is to be durable.
    /// </summary>
    private static ValueTask AwaitRemovalAsync(Inode inode) =>
        inode.Invalidation.IsHeldExclusively ? PassInvalidationAsync(inode) : ValueTask.CompletedTask;

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private static async ValueTask PassInvalidationAsync(Inode inode)
    {
        await inode.Invalidation.AcquireSharedAsync().ConfigureAwait(false);
        inode.Invalidation.ReleaseShared();
    }

    /// <summary>An error that somebody else was told of is not repeated; pages that still are not on the device are.</summary>
    private static IoFault StillFailing(FilePages? pages, IoFault fault) => pages is { HasFailed: true } ? fault : IoFault.None;

    /// <summary>fdatasync leaves out times and the like; the size, if it changed, it does not.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private static async ValueTask StoreAttributesAsync(Inode inode, bool dataOnly)
    {
        FilePages? pages = inode.Pages;
        if (!inode.IsAttributesDirty || (dataOnly && pages is { HasUnstoredSize: false }))
        {
            return;
        }

        Handle handle = await inode.FileSystem.Journal.BeginAsync(1).ConfigureAwait(false);
        try
        {
            // Not before the handle is open: who sees that nothing is left to store commits the transaction that stores it.
            NoteStored(pages, isStored: true);
            await inode.StoreAsync(handle).ConfigureAwait(false);
        }
        catch
        {
            // Nor after it has stopped: who saw it looks again when the transaction has committed.
            NoteStored(pages, isStored: false);
            throw;
        }
        finally
        {
            handle.Stop();
        }
    }

    private static void NoteStored(FilePages? pages, bool isStored)
    {
        if (pages is not null)
        {
            pages.HasUnstoredSize = !isStored;
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    private static async ValueTask CommitAndFlushAsync(FileSystem fileSystem)
    {
        MetadataJournal journal = fileSystem.Journal;
        long mark = journal.FlushMark;
        await journal.CommitAsync(journal.Running).ConfigureAwait(false);
        if (journal.HasFlushedSince(mark) || fileSystem.Scheduler.IsBroken(Rule.SyncFlushesDevice))
        {
            // A commit's own flush, begun after the data had landed, covers the data too.
            return;
        }

        IoResult flushed = await fileSystem.Device.FlushAsync().ConfigureAwait(false);
        if (flushed.IsFailed)
        {
            throw new DeviceException(flushed.Fault, fileSystem.Device.Name, $"the flush failed: {flushed.Fault.Describe()}");
        }
    }
}

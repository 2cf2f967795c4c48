using System.Runtime.CompilerServices;
using Penstock.Caching;
using Penstock.Devices;
using Penstock.DirectIO;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>
/// Direct writes of a file: chooses how the inode lock is held, and keeps the order at completion that Rule 2.5 asks for: end of I/O
/// (conversion), size, invalidation, gate, sync, notification.
/// </summary>
internal static class DirectWritePath
{
    /// <summary>Writes <paramref name="memory"/>; enters and returns holding nothing of the inode's.</summary>
    public static ValueTask<IoResult> WriteAsync(Inode inode, SegmentList memory, long offset, IoOptions options, ErrorCursor cursor)
    {
        // Rule 2.22: before any lock, any write-back, anything.
        if (memory.Length == 0)
        {
            return default;
        }

        bool isAppend = (options & IoOptions.Append) != 0;
        if (!Alignment.Suits(inode.FileSystem.Device, memory, isAppend ? 0 : offset))
        {
            return inode.FileSystem.Scheduler.IsBroken(Rule.AlignmentCheckedFirst)
                ? DirectPath.RefuseLateAsync(inode)
                : new(IoResult.Failed(IoFault.InvalidArgument));
        }

        FileChecks.MayChange(inode);
        ValueTask<IoResult> writing = inode.HasOwnDirectIo ? OwnDirectPath.WriteAsync(inode, memory, offset, options)
            : inode.ProtectsItself && !inode.FileSystem.Scheduler.IsBroken(Rule.SelfProtectedTakesNoLock) ? WriteUnlockedAsync(inode, memory, offset)
            : WriteLockedAsync(inode, memory, offset, options);
        return (options & (IoOptions.DataSync | IoOptions.Sync)) == 0 ? writing : SyncAfterAsync(writing, inode, options, cursor);
    }

    /// <summary>Rules 1.14, 2.14, 2.20: after completion, and its error wins over the count.</summary>
    public static async ValueTask<IoResult> SyncIfAskedAsync(Inode inode, IoResult result, IoOptions options, ErrorCursor cursor)
    {
        if (result.Bytes > 0 && (options & (IoOptions.DataSync | IoOptions.Sync)) != 0
            && !inode.FileSystem.Scheduler.IsBroken(Rule.SyncAfterCompletion))
        {
            try
            {
                await SyncPath.FsyncAsync(inode, dataOnly: (options & IoOptions.Sync) == 0, cursor).ConfigureAwait(false);
            }
            catch (FileSystemException) when (inode.FileSystem.Scheduler.IsBroken(Rule.SyncErrorWins))
            {
                return result;
            }
        }

        return result;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<IoResult> SyncAfterAsync(ValueTask<IoResult> writing, Inode inode, IoOptions options, ErrorCursor cursor) =>
        await SyncIfAskedAsync(inode, await writing.ConfigureAwait(false), options, cursor).ConfigureAwait(false);

    /// <summary>Under the inode lock, whose wait alone is worth a method that waits.</summary>
    private static ValueTask<IoResult> WriteLockedAsync(Inode inode, SegmentList memory, long offset, IoOptions options)
    {
        long end = inode.Size;
        ValueTask<bool> locking = LockAsync(inode, options, offset, memory.Length);
        return locking.IsCompletedSuccessfully
            ? RunEpisodeAsync(inode, memory, offset, end, options, locking.Result)
            : RunLockedAsync(locking, inode, memory, offset, end, options);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<IoResult> RunLockedAsync(
        ValueTask<bool> locking, Inode inode, SegmentList memory, long offset, long end, IoOptions options) =>
        await RunEpisodeAsync(inode, memory, offset, end, options, await locking.ConfigureAwait(false)).ConfigureAwait(false);

    private static ValueTask<IoResult> RunEpisodeAsync(Inode inode, SegmentList memory, long offset, long end, IoOptions options, bool isExclusive)
    {
        bool isAppend = (options & IoOptions.Append) != 0;
        if (isAppend)
        {
            offset = inode.FileSystem.Scheduler.IsBroken(Rule.AppendTakesEndUnderLock) ? end : inode.Size;
            if (!Alignment.Suits(inode.FileSystem.Device, memory, offset))
            {
                inode.Lock.ReleaseExclusive();
                return new(IoResult.Failed(IoFault.InvalidArgument));
            }
        }

        return DirectWriteEpisode.Rent(inode, memory, offset, isExclusive, isAppend, RequestOptions.KeepsSetIdOf(options)).RunAsync();
    }

    /// <summary>
    /// Takes the inode lock: shared for a pure overwrite, else exclusively (Rule 2.1). What is learnt before the lock is held may be
    /// out of date, so it is looked at again under it.
    /// </summary>
    private static async ValueTask<bool> LockAsync(Inode inode, IoOptions options, long offset, long length)
    {
        bool isAppend = (options & IoOptions.Append) != 0;
        bool keepsSetId = RequestOptions.KeepsSetIdOf(options);
        bool mayShare = !isAppend && LooksLikeOverwrite(inode, offset, length, keepsSetId);
        if (mayShare)
        {
            await inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
            bool shares = false;
            try
            {
                shares = inode.FileSystem.Scheduler.IsBroken(Rule.OverwriteCheckedUnderLock)
                    || (LooksLikeOverwrite(inode, offset, length, keepsSetId) && await IsOverwriteAsync(inode, offset, length).ConfigureAwait(false));
            }
            finally
            {
                if (!shares)
                {
                    inode.Lock.ReleaseShared();
                }
            }

            if (shares)
            {
                return false;
            }
        }

        await inode.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        return true;
    }

    private static bool LooksLikeOverwrite(Inode inode, long offset, long length, bool keepsSetId) =>
        (offset + length <= inode.Size || inode.FileSystem.Scheduler.IsBroken(Rule.ExtendingWriteHoldsLock))
        && inode.AllowsDirectIo && !Privileges.AreToBeCleared(inode, keepsSetId);

    /// <summary>
    /// Whether every block is there already, so that a shared lock is enough (invariant 3.11): written ones in any case, unwritten
    /// ones where the write covers whole blocks, since nothing needs zeroing then.
    /// </summary>
    private static async ValueTask<bool> IsOverwriteAsync(Inode inode, long offset, long length)
    {
        BlockMapper mapper = inode.Mapper!;
        long end = offset + length;
        bool isAligned = ((offset | end) & (mapper.BlockSize - 1)) == 0
            || inode.FileSystem.Scheduler.IsBroken(Rule.UnalignedWriteIsExclusive);
        for (var block = new FileBlock((ulong)(offset / mapper.BlockSize)); (long)block.Value * mapper.BlockSize < end;)
        {
            ulong count = (ulong)((end - 1) / mapper.BlockSize) - block.Value + 1;
            if (!mapper.TryMap(block, count, out BlockRun run))
            {
                run = await mapper.MapAsync(block, count).ConfigureAwait(false);
            }

            if (run.State == MapState.Hole || (run.State == MapState.Unwritten && !isAligned))
            {
                return false;
            }

            block = run.End;
        }

        return true;
    }

    /// <summary>Rules 1.8 and 1.9: no lock, no gate; the format's mapper and its end-of-I/O callback do what it needs.</summary>
    private static async ValueTask<IoResult> WriteUnlockedAsync(Inode inode, SegmentList memory, long offset)
    {
        BlockDevice device = inode.FileSystem.Device;
        long length = FileChecks.LimitLength(inode, offset, memory.Length);
        FilePages pages = inode.Pages!;
        IoFault fault = await pages.WriteBackAsync(offset, length).ConfigureAwait(false);
        if (fault != IoFault.None)
        {
            return IoResult.Failed(fault);
        }

        await pages.InvalidateAsync(offset, length).ConfigureAwait(false);

        // Rule 2.2: what may be allocated is the mapper's to decide.
        bool mayAllocate = !device.Scheduler.IsBroken(Rule.MapperDecidesAllocation);
        DirectWrite write = DirectWrite.Rent(
            inode.Mapper!, inode.FileSystem.Journal, offset, offset + length, inode.Size, isExclusive: mayAllocate);
        DirectIoRequest request = DirectIoRequest.Rent(device, DeviceOperation.Write, memory);
        try
        {
            FileSystemException? failure = await DirectWriteEpisode.SubmitAsync(request, device, write).ConfigureAwait(false);
            request.EndSubmission();
            IoResult result = await request.Completion.ConfigureAwait(false);
            await inode.EndDirectWriteAsync(offset, result.Bytes, request.UnwrittenRuns).ConfigureAwait(false);
            if (!await pages.InvalidateAsync(offset, length).ConfigureAwait(false))
            {
                pages.Errors.RecordDisagreement();
            }

            return failure is not null && result.Bytes == 0 ? throw failure : result;
        }
        finally
        {
            request.Return();
            write.Return();
        }
    }
}

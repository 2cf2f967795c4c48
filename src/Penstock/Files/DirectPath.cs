using System.Runtime.CompilerServices;
using Penstock.Caching;
using Penstock.Devices;
using Penstock.DirectIO;
using Penstock.Execution;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>Direct reads of a file: the locks around the engine, in the order of the rules. Direct writes are in <see cref="DirectWritePath"/>.</summary>
internal static class DirectPath
{
    /// <summary>Reads into <paramref name="memory"/>; enters and returns holding nothing (Rules 1.3 and 1.7).</summary>
    public static ValueTask<IoResult> ReadAsync(Inode inode, SegmentList memory, long offset, ReadaheadState readahead)
    {
        // Rule 2.22: before any lock, any write-back, anything.
        if (memory.Length == 0)
        {
            return default;
        }

        if (!Alignment.Suits(inode.FileSystem.Device, memory, offset))
        {
            return inode.FileSystem.Scheduler.IsBroken(Rule.AlignmentCheckedFirst)
                ? RefuseLateAsync(inode)
                : new(IoResult.Failed(IoFault.InvalidArgument));
        }

        // Rule 2.13: sampled before; what lies at or beyond it is not read.
        long size = inode.Size;
        return offset >= size ? default
            : inode.HasOwnDirectIo ? OwnDirectPath.ReadAsync(inode, memory, offset)
            : ReadBelowAsync(inode, memory, offset, size, readahead);
    }

    public static long RoundUp(long value, int unit) => (value + unit - 1) & ~(unit - 1L);

    /// <summary>Reads what lies below <paramref name="size"/>.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<IoResult> ReadBelowAsync(Inode inode, SegmentList memory, long offset, long size, ReadaheadState readahead)
    {
        BlockDevice device = inode.FileSystem.Device;

        // Rules 1.8 to 1.10: chosen once, and kept whatever changes meanwhile.
        bool locks = !inode.ProtectsItself || device.Scheduler.IsBroken(Rule.SelfProtectedTakesNoLock);
        bool holdsLock = false;
        bool holdsGate = false;
        DirectIoRequest? request = null;
        try
        {
            if (locks && device.Scheduler.IsBroken(Rule.LockBeforeGate))
            {
                await inode.Gate.AcquireSharedAsync().ConfigureAwait(false);
                holdsGate = true;
            }

            if (locks)
            {
                await inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
                holdsLock = true;
            }

            IoFault fault = await PrepareAsync(inode, offset, memory.Length).ConfigureAwait(false);
            if (fault != IoFault.None && !device.Scheduler.IsBroken(Rule.FailedFlushStopsDirectIo))
            {
                ForgetIfBroken(inode, Rule.ErrorsReleaseLocks, ref holdsLock, ref holdsGate);
                return IoResult.Failed(fault);
            }

            if (!inode.AllowsDirectIo)
            {
                Release(inode, ref holdsLock, ref holdsGate);
                return await BufferedPath.ReadAsync(inode, memory, 0, offset, memory.Length, readahead).ConfigureAwait(false);
            }

            if (locks && !holdsGate && !device.Scheduler.IsBroken(Rule.DirectReadEntersGate))
            {
                await inode.Gate.AcquireSharedAsync().ConfigureAwait(false);
                holdsGate = true;
            }

            request = DirectIoRequest.Rent(device, DeviceOperation.Read, memory);
            long wanted = Math.Min(memory.Length, RoundUp(size - offset, device.LogicalBlockSize));
            FileSystemException? failure = await SubmitAsync(request, device, inode.Mapper!, offset, wanted, size).ConfigureAwait(false);

            // Rule 1.4: all mapping and submission is done; the lock is not held while waiting for the device.
            if (!device.Scheduler.IsBroken(Rule.InodeLockReleasedAtSubmission))
            {
                ReleaseLock(inode, ref holdsLock);
            }

            ReleaseGateEarlyIfBroken(inode, ref holdsGate);
            device.Scheduler.RunCallerRow();
            IoResult result = await request.Completion.ConfigureAwait(false);
            ForgetIfBroken(inode, inode.ProtectsItself ? Rule.LockingChosenOnce : Rule.None, ref holdsLock, ref holdsGate);

            // Rule 1.5: in the completion's context.
            Release(inode, ref holdsLock, ref holdsGate);
            return failure is not null && result.Bytes == 0
                ? throw failure
                : await FinishAsync(inode, request, memory, result, offset, size).ConfigureAwait(false);
        }
        finally
        {
            Release(inode, ref holdsLock, ref holdsGate);
            request?.Return();
        }
    }

    /// <summary>The refusal of what is misaligned, in a build where Rule 2.22 is off: after a lock.</summary>
    internal static async ValueTask<IoResult> RefuseLateAsync(Inode inode)
    {
        await inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
        inode.Lock.ReleaseShared();
        return IoResult.Failed(IoFault.InvalidArgument);
    }

    /// <summary>Ends the gate's hold at submission in a build where Rule 1.5 is off.</summary>
    internal static void ReleaseGateEarlyIfBroken(Inode inode, ref bool holdsGate)
    {
        if (holdsGate && inode.FileSystem.Scheduler.IsBroken(Rule.GateHeldUntilCompletion))
        {
            inode.Gate.ReleaseShared();
            holdsGate = false;
        }
    }

    /// <summary>Rule 2.7: the dirty pages of a direct request's range, and no others.</summary>
    internal static ValueTask<IoFault> WriteBackRangeAsync(Inode inode, long offset, long length) =>
        inode.FileSystem.Scheduler.IsBroken(Rule.OnlyRangeIsFlushed)
            ? inode.Pages!.WriteBackAsync(0, long.MaxValue)
            : inode.Pages!.WriteBackAsync(offset, length);

    /// <summary>Rules 1.3, 1.16: dirty pages of the range first; if that fails, no direct I/O is issued.</summary>
    private static ValueTask<IoFault> PrepareAsync(Inode inode, long offset, long length) =>
        inode.FileSystem.Scheduler.IsBroken(Rule.DirectReadFlushes)
            ? new ValueTask<IoFault>(IoFault.None)
            : WriteBackRangeAsync(inode, offset, length);

    /// <summary>Leaves locks held, in a build where the rule that has them released is off.</summary>
    private static void ForgetIfBroken(Inode inode, Rule rule, ref bool holdsLock, ref bool holdsGate)
    {
        if (inode.FileSystem.Scheduler.IsBroken(rule))
        {
            holdsLock = false;
            holdsGate = false;
        }
    }

    /// <summary>Submits all parts. A failure of the mapping is kept until what was submitted has completed.</summary>
    private static ValueTask<FileSystemException?> SubmitAsync(
        DirectIoRequest request, BlockDevice device, BlockMapper mapper, long offset, long length, long size)
    {
        ValueTask submitting;
        try
        {
            submitting = DirectIoEngine.SubmitReadAsync(request, device, mapper, offset, length, size);
        }
        catch (FileSystemException e)
        {
            submitting = ValueTask.FromException(e);
        }

        if (!submitting.IsCompletedSuccessfully)
        {
            return EndSubmissionAsync(request, submitting);
        }

        request.EndSubmission();
        return default;
    }

    private static async ValueTask<FileSystemException?> EndSubmissionAsync(DirectIoRequest request, ValueTask submitting)
    {
        try
        {
            return await request.NoteFailureAsync(submitting).ConfigureAwait(false);
        }
        finally
        {
            request.EndSubmission();
        }
    }

    /// <summary>
    /// Zeroes what the file does not have: holes, unwritten blocks, and what the last block on the device holds beyond the end of the file. User
    /// memory is touched in a user place only, and no lock is held here.
    /// </summary>
    private static ValueTask<IoResult> FinishAsync(
        Inode inode, DirectIoRequest request, SegmentList memory, IoResult result, long offset, long size)
    {
        bool isWhole = request.ZeroRanges.Count == 0 && request.Submitted == result.Bytes && result.Bytes <= size - offset;
        return isWhole && !inode.FileSystem.Scheduler.IsBroken(Rule.DirectReadKeepsPages)
            ? new ValueTask<IoResult>(result)
            : ZeroRestAsync(inode, request, memory, result, offset, size);
    }

    private static async ValueTask<IoResult> ZeroRestAsync(
        Inode inode, DirectIoRequest request, SegmentList memory, IoResult result, long offset, long size)
    {
        Scheduler scheduler = inode.FileSystem.Scheduler;
        if (scheduler.IsBroken(Rule.DirectReadKeepsPages))
        {
            await inode.Pages!.InvalidateAsync(offset, memory.Length).ConfigureAwait(false);
        }

        long available = (scheduler.IsBroken(Rule.SizeSampledBefore) ? inode.Size : size) - offset;
        long bytes = scheduler.IsBroken(Rule.ReadEndsAtSize) ? result.Bytes : Math.Min(result.Bytes, available);
        long submitted = request.Submitted;
        if (request.ZeroRanges.Count > 0 || submitted > bytes)
        {
            if (!memory.IsOurs)
            {
                await scheduler.SwitchToUserPlace();
            }

            foreach ((long start, long length) in request.ZeroRanges)
            {
                memory.Clear(start, length);
            }

            memory.Clear(bytes, submitted - bytes);
        }

        return new IoResult(bytes, result.Fault);
    }

    private static void ReleaseLock(Inode inode, ref bool holdsLock)
    {
        if (holdsLock)
        {
            inode.Lock.ReleaseShared();
            holdsLock = false;
        }
    }

    private static void Release(Inode inode, ref bool holdsLock, ref bool holdsGate)
    {
        if (holdsGate)
        {
            inode.Gate.ReleaseShared();
            holdsGate = false;
        }

        ReleaseLock(inode, ref holdsLock);
    }
}

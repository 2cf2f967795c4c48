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
/// One direct write, entered with the inode lock held (exclusively or shared) and left with it released, on success and on every error (Rules 1.7
/// and 1.20). A vectored write is one episode (Rule 1.22). Pooled.
/// </summary>
/// <remarks>
/// The lock is given up at submission (Rule 1.4), except by a write that extends the file (Rule 2.1), is unaligned (Rule 2.10), or must go on
/// buffered (Rule 2.4). The gate is left by the completion (Rule 1.5), after the end of I/O (Rule 1.6).
/// </remarks>
internal sealed class DirectWriteEpisode
{
    private static readonly Pool<DirectWriteEpisode> s_pool = new(() => new DirectWriteEpisode(), capacity: 1024);

    private Inode _inode = null!;
    private SegmentList _memory = null!;
    private long _offset;
    private long _length;
    private bool _isExclusive;
    private bool _isAppend;
    private bool _keepsSetId;
    private bool _holdsLock;
    private bool _holdsGate;
    private bool _isOrphan;

    private DirectWriteEpisode()
    {
    }

    private Scheduler Scheduler => _inode.FileSystem.Scheduler;

    private FilePages Pages => _inode.Pages!;

    private long End => _offset + _length;

    private bool IsUnaligned => ((_offset | End) & (_inode.Mapper!.BlockSize - 1)) != 0;

    public static DirectWriteEpisode Rent(Inode inode, SegmentList memory, long offset, bool isExclusive, bool isAppend, bool keepsSetId)
    {
        DirectWriteEpisode episode = s_pool.Rent();
        episode._inode = inode;
        episode._memory = memory;
        episode._offset = offset;
        episode._length = memory.Length;
        episode._isExclusive = isExclusive;
        episode._isAppend = isAppend;
        episode._keepsSetId = keepsSetId;
        episode._holdsLock = true;
        episode._holdsGate = false;
        episode._isOrphan = false;
        return episode;
    }

    /// <summary>Submits the write. A failure of mapping or space is noted in the request and handed back.</summary>
    public static ValueTask<FileSystemException?> SubmitAsync(DirectIoRequest request, BlockDevice device, DirectWrite write)
    {
        ValueTask submitting;
        try
        {
            submitting = DirectIoEngine.SubmitWriteAsync(request, device, write);
        }
        catch (FileSystemException e)
        {
            submitting = ValueTask.FromException(e);
        }

        return submitting.IsCompletedSuccessfully ? default : request.NoteFailureAsync(submitting);
    }

    /// <summary>Runs the episode and returns it to its pool.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public async ValueTask<IoResult> RunAsync()
    {
        try
        {
            // Rule 1.7: the direct part ends with everything released; a fallback starts anew.
            DirectOutcome outcome;
            try
            {
                outcome = await PrepareAsync().ConfigureAwait(false) ?? await TransferAsync().ConfigureAwait(false);
            }
            finally
            {
                LeaveGate();
                await ForgetOrphanAsync().ConfigureAwait(false);
                ReleaseAll();
            }

            if (!outcome.MustFallBack)
            {
                return outcome.Result;
            }

            return await FallBackAsync(outcome.Result.Bytes).ConfigureAwait(false);
        }
        finally
        {
            ReleaseAll();
            _inode = null!;
            _memory = null!;
            s_pool.Return(this);
        }
    }

    /// <summary>What comes before the transfer, and seldom waits; the outcome, where there is none.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<DirectOutcome?> PrepareAsync()
    {
        _length = FileChecks.LimitLength(_inode, _offset, _length) & -_inode.FileSystem.Device.LogicalBlockSize;
        if (!_inode.AllowsDirectIo)
        {
            return DirectOutcome.FallBack(0);
        }

        if (_isExclusive && Privileges.AreToBeCleared(_inode, _keepsSetId))
        {
            await Privileges.ClearAsync(_inode, _keepsSetId).ConfigureAwait(false);
        }

        FileTimes.Modified(_inode);

        // Before the write-back: zeroing the gap dirties a page that the write may share.
        await PrepareExtensionAsync().ConfigureAwait(false);
        IoFault fault = await WriteBackRangeAsync().ConfigureAwait(false);
        if (fault != IoFault.None && !Scheduler.IsBroken(Rule.FailedFlushStopsDirectIo))
        {
            _holdsLock &= !Scheduler.IsBroken(Rule.ErrorsReleaseLocks);
            return DirectOutcome.Done(IoResult.Failed(fault));
        }

        if (!await InvalidateBeforeAsync().ConfigureAwait(false))
        {
            return DirectOutcome.FallBack(0);
        }

        await EnterGateAsync().ConfigureAwait(false);
        return null;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<DirectOutcome> TransferAsync()
    {
        BlockDevice device = _inode.FileSystem.Device;
        DirectWrite write = DirectWrite.Rent(_inode.Mapper!, _inode.FileSystem.Journal, _offset, End, _inode.Size, _isExclusive);
        DirectIoRequest request = DirectIoRequest.Rent(device, DeviceOperation.Write, _memory);
        ReservedHandle? reserved = null;
        try
        {
            FileSystemException? failure = await SubmitAsync(request, device, write).ConfigureAwait(false);
            bool isShort = request.Submitted < _length;
            FileSystemException? endOfIoFailure = null;
            if (request.UnwrittenRuns.Count > 0 || write.IsExtending)
            {
                (reserved, endOfIoFailure) = await TryReserveAsync(EndOfIoCredits(request)).ConfigureAwait(false);
            }

            request.EndSubmission();
            if (!KeepsLock(write, isShort))
            {
                ReleaseLock();
            }

            DirectPath.ReleaseGateEarlyIfBroken(_inode, ref _holdsGate);
            PublishSizeEarlyIfBroken();
            if (Scheduler.IsBroken(Rule.MemoryKeptUntilCompletion) && reserved is null && !isShort)
            {
                Forget(request);
                request = DirectIoRequest.Rent(device, DeviceOperation.Write, _memory);
                return DirectOutcome.Done(IoResult.Transferred(_length));
            }

            IoResult result = await request.Completion.ConfigureAwait(false);
            await MisbehaveIfBrokenAsync().ConfigureAwait(false);
            try
            {
                ReservedHandle? spent = reserved;
                reserved = null;
                result = await EndOfIoAsync(request, write, result, spent).ConfigureAwait(false);
            }
            catch (FileSystemException e)
            {
                endOfIoFailure = e;
            }

            if (endOfIoFailure is not null)
            {
                // The data has landed, but nothing leads to it: not a byte counts.
                failure = endOfIoFailure;
                result = IoResult.Failed(endOfIoFailure.Fault);
            }

            await InvalidateAfterAsync().ConfigureAwait(false);
            LeaveGate();
            await CutBackAsync(write, result).ConfigureAwait(false);
            if (failure is not null && result.Bytes == 0)
            {
                throw failure;
            }

            return isShort && !result.IsFailed ? GoOnBuffered(result.Bytes) : DirectOutcome.Done(result);
        }
        finally
        {
            reserved?.Cancel();
            request.Return();
            write.Return();
        }
    }

    /// <summary>Rules 2.1, 2.4, 2.10: who keeps the inode lock until the data has landed.</summary>
    private bool KeepsLock(DirectWrite write, bool isShort) =>
        Scheduler.IsBroken(Rule.InodeLockReleasedAtSubmission)
        || (_isExclusive && (write.IsExtending || write.HasAllocated || isShort || _isOrphan || IsUnaligned));

    /// <summary>Rules 1.16, 2.7, 2.19: only the range; if it fails, no direct I/O is issued.</summary>
    private ValueTask<IoFault> WriteBackRangeAsync() =>
        Scheduler.IsBroken(Rule.DirectWriteFlushes)
            ? new ValueTask<IoFault>(IoFault.None)
            : DirectPath.WriteBackRangeAsync(_inode, _offset, _length);

    /// <summary>Rule 2.6: cached pages of the range go before the write; if one cannot, the write goes the buffered way.</summary>
    private ValueTask<bool> InvalidateBeforeAsync() =>
        Scheduler.IsBroken(Rule.InvalidateBeforeWrite) ? new ValueTask<bool>(true) : Pages.InvalidateAsync(_offset, _length);

    /// <summary>
    /// Rule 2.6: a buffered read may have refilled a page with old data meanwhile. If it cannot be dropped, the write has succeeded all the
    /// same, and the next fsync of every open file says that cache and device disagree.
    /// </summary>
    private ValueTask InvalidateAfterAsync() => Pages.IsEmpty || Scheduler.IsBroken(Rule.InvalidateAfterWrite)
        ? ValueTask.CompletedTask
        : InvalidatePagesAfterAsync();

    private async ValueTask InvalidatePagesAfterAsync()
    {
        if (!await Pages.InvalidateAsync(_offset, _length).ConfigureAwait(false))
        {
            Pages.Errors.RecordDisagreement();
        }
    }

    private async ValueTask PrepareExtensionAsync()
    {
        long size = _inode.Size;
        if (!_isExclusive || End <= size)
        {
            return;
        }

        // Rule 2.11: stale bytes between the old end and the write are zeroed first.
        if (_offset > size && !Scheduler.IsBroken(Rule.GapIsZeroed))
        {
            await ZeroGapOnDeviceAsync(size).ConfigureAwait(false);
        }

        // Rule 2.12: recovery cuts the file back to its size if we do not get to publish it.
        Handle handle = await _inode.FileSystem.Journal.BeginAsync(_inode.OrphanCredits).ConfigureAwait(false);
        try
        {
            await _inode.AddOrphanAsync(handle).ConfigureAwait(false);
            _isOrphan = true;
        }
        finally
        {
            handle.Stop();
        }
    }

    /// <summary>
    /// The zeros go to the device before the write does: the gap may end in the very block where the write begins, and a page written
    /// back later would put its zeros over the data.
    /// </summary>
    private async ValueTask ZeroGapOnDeviceAsync(long size)
    {
        await BufferedPath.ZeroGapAsync(_inode, size, _offset).ConfigureAwait(false);
        IoFault fault = await Pages.WriteBackAsync(size, _offset - size).ConfigureAwait(false);
        if (fault != IoFault.None)
        {
            throw new FileSystemException(fault, $"{_inode}: the gap before a direct write could not be zeroed: {fault.Describe()}");
        }

        await Pages.InvalidateAsync(size, _offset - size).ConfigureAwait(false);
    }

    private async ValueTask EnterGateAsync()
    {
        if (Scheduler.IsBroken(Rule.DirectWriteEntersGate))
        {
            return;
        }

        if (_isExclusive && IsUnaligned && !Scheduler.IsBroken(Rule.UnalignedWriteIsExclusive))
        {
            // Rule 2.10: two writes to parts of one new block would zero each other, so all others land first.
            await _inode.Gate.AcquireExclusiveAsync().ConfigureAwait(false);
            _inode.Gate.Downgrade();
        }
        else
        {
            await _inode.Gate.AcquireSharedAsync().ConfigureAwait(false);
        }

        _holdsGate = true;
    }

    /// <summary>
    /// Rule 2.18: room for the end of I/O, before the request can complete. A failure is handed back, since what was submitted is on the
    /// device and owns the caller's memory until it completes (invariant 3.15).
    /// </summary>
    private async ValueTask<(ReservedHandle? Reserved, FileSystemException? Failure)> TryReserveAsync(int credits)
    {
        try
        {
            return (await _inode.FileSystem.Journal.ReserveAsync(credits).ConfigureAwait(false), null);
        }
        catch (FileSystemException e)
        {
            return (null, e);
        }
    }

    private int EndOfIoCredits(DirectIoRequest request)
    {
        int credits = 1 + _inode.OrphanCredits;
        foreach (BlockRun run in request.UnwrittenRuns)
        {
            credits += _inode.Mapper!.CreditsToConvert(run.Count);
        }

        return credits;
    }

    /// <summary>Rule 2.5: conversion, then size; in the completion's context, with a handle that waits for nothing (Rule 2.18).</summary>
    private async ValueTask<IoResult> EndOfIoAsync(DirectIoRequest request, DirectWrite write, IoResult result, ReservedHandle? reserved)
    {
        if (reserved is null)
        {
            return result;
        }

        int blockSize = _inode.Mapper!.BlockSize;
        long landed = _offset + result.Bytes;
        if (result.IsFailed && (request.UnwrittenRuns.Count > 0 || write.HasAllocated))
        {
            // Rule 2.10: the rest of a new block that was written in part holds no zeros, so the block stays unwritten.
            landed = Math.Max(_offset, landed & -blockSize);
        }

        Handle handle = reserved.Begin();
        try
        {
            await ConvertAsync(handle, request, landed, blockSize).ConfigureAwait(false);
            // Invariant 3.12: a write of which nothing has landed does not move the end, though it begins beyond it.
            bool hasLanded = landed > _offset;
            if (hasLanded && (landed > _inode.Size || Scheduler.IsBroken(Rule.SizeMovesForwardOnly)))
            {
                _inode.Size = landed;
            }

            if (hasLanded && landed > _inode.StoredSize && write.IsExtending)
            {
                _inode.StoredSize = landed;
            }
            else if (hasLanded)
            {
                // Inside a size that waits for its writeback: written blocks beyond the stored size are damage.
                _inode.Pages?.AdvanceStoredSize(landed);
            }

            if (_isOrphan && landed == End)
            {
                await _inode.RemoveOrphanAsync(handle).ConfigureAwait(false);
                _isOrphan = false;
            }

            await _inode.StoreAsync(handle).ConfigureAwait(false);
        }
        finally
        {
            handle.Stop();
        }

        return new IoResult(landed - _offset, result.Fault);
    }

    private async ValueTask ConvertAsync(Handle handle, DirectIoRequest request, long landed, int blockSize)
    {
        if (Scheduler.IsBroken(Rule.OnlyLandedIsConverted))
        {
            landed = End;
        }

        if (landed <= _offset)
        {
            // Not even the first block, of which the write may cover the end only, holds what was written.
            return;
        }

        ulong firstNotLanded = (ulong)((landed + blockSize - 1) / blockSize);
        for (int i = 0; i < request.UnwrittenRuns.Count; i++)
        {
            BlockRun run = request.UnwrittenRuns[i];
            if (run.First.Value < firstNotLanded)
            {
                ulong count = Math.Min(run.Count, firstNotLanded - run.First.Value);
                await _inode.Mapper!.ConvertAsync(handle, run.First, count).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Rule 2.12: blocks beyond the size that a failed extension left are freed.</summary>
    private async ValueTask CutBackAsync(DirectWrite write, IoResult result)
    {
        if (!_isOrphan || !write.HasAllocated || result.Bytes >= _length || Scheduler.IsBroken(Rule.FailedExtensionIsCutBack))
        {
            return;
        }

        await _inode.Gate.AcquireExclusiveAsync().ConfigureAwait(false);
        await _inode.Invalidation.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            await _inode.TruncateBlocksAsync(_inode.Size).ConfigureAwait(false);
        }
        catch (FileSystemException)
        {
            // Recovery will cut the file back: the note stays. The write's own fault is what the caller is told.
            _isOrphan = false;
        }
        finally
        {
            _inode.Invalidation.ReleaseExclusive();
            _inode.Gate.ReleaseExclusive();
        }
    }

    /// <summary>Takes the orphan note back, unless what it stands for is still to be done. The inode lock is held.</summary>
    private async ValueTask ForgetOrphanAsync()
    {
        if (!_isOrphan)
        {
            return;
        }

        _isOrphan = false;
        try
        {
            Handle handle = await _inode.FileSystem.Journal.BeginAsync(_inode.OrphanCredits).ConfigureAwait(false);
            try
            {
                await _inode.RemoveOrphanAsync(handle).ConfigureAwait(false);
            }
            finally
            {
                handle.Stop();
            }
        }
        catch (FileSystemException)
        {
            // The volume takes no changes any more; recovery finds a file that needs no cutting.
        }
    }

    /// <summary>
    /// Rules 1.12, 1.13, 2.4: goes on buffered at the first byte that was not transferred, and has the data on the device before it
    /// returns. The result is the sum; an error of the write-back wins (Rule 2.20).
    /// </summary>
    /// <remarks>
    /// The inode lock was given up, since user memory is staged without it. Another append may have come first, so an append looks for the end anew
    /// (invariant 3.9); one that has written a part already ends there, short.
    /// </remarks>
    private async ValueTask<IoResult> FallBackAsync(long done)
    {
        bool findsEnd = _isAppend && !Scheduler.IsBroken(Rule.FallbackFindsEndAnew);
        if (findsEnd && done > 0)
        {
            return IoResult.Transferred(done);
        }

        long resume = Scheduler.IsBroken(Rule.FallbackGoesOn) ? 0 : done;
        long from = _offset + resume;
        IoResult rest = await BufferedWritePath.WritePartAsync(
            _inode, _memory, resume, findsEnd ? -1 : from, _length - resume, _keepsSetId).ConfigureAwait(false);
        if (rest.Bytes > 0 && !Scheduler.IsBroken(Rule.FallbackWritesBack))
        {
            long length = findsEnd ? long.MaxValue - from : rest.Bytes;
            IoFault fault = await Pages.WriteBackAsync(from, length).ConfigureAwait(false);
            if (fault != IoFault.None && !Scheduler.IsBroken(Rule.SyncErrorWins))
            {
                return new IoResult(done, fault);
            }

            await Pages.InvalidateAsync(from, length).ConfigureAwait(false);
        }

        return new IoResult(done + rest.Bytes, rest.Fault);
    }

    private void PublishSizeEarlyIfBroken()
    {
        if (Scheduler.IsBroken(Rule.SizeAfterCompletion) && End > _inode.Size)
        {
            _inode.Size = End;
        }
    }

    /// <summary>Leaves a request to itself, in a build where invariant 3.15 is off.</summary>
    private void Forget(DirectIoRequest request) => Scheduler.Start(async () =>
    {
        await request.Completion.ConfigureAwait(false);
        request.Return();
    });

    /// <summary>Rule 1.12: a hole is no error.</summary>
    private DirectOutcome GoOnBuffered(long done) => Scheduler.IsBroken(Rule.HoleFallsBack)
        ? DirectOutcome.Done(IoResult.Failed(IoFault.NotSupported))
        : DirectOutcome.FallBack(done);

    /// <summary>What a completion does not do before the end of I/O, in builds where Rule 1.6 or 2.18 is off.</summary>
    private ValueTask MisbehaveIfBrokenAsync() =>
        Scheduler.IsBroken(Rule.EndOfIoBeforeGate) || Scheduler.IsBroken(Rule.CompletionNeedsNoLock) ? MisbehaveAsync() : ValueTask.CompletedTask;

    private async ValueTask MisbehaveAsync()
    {
        if (!_holdsLock && Scheduler.IsBroken(Rule.CompletionNeedsNoLock))
        {
            await _inode.Lock.AcquireSharedAsync().ConfigureAwait(false);
            _inode.Lock.ReleaseShared();
        }

        if (Scheduler.IsBroken(Rule.EndOfIoBeforeGate))
        {
            LeaveGate();
            await Scheduler.Yield();
        }
    }

    private void LeaveGate()
    {
        if (_holdsGate)
        {
            _holdsGate = Scheduler.IsBroken(Rule.GateLeftOnce) && _inode.Gate.SharedCount > 1;
            _inode.Gate.ReleaseShared();
        }
    }

    private void ReleaseLock()
    {
        if (_holdsLock)
        {
            _holdsLock = false;
            if (_isExclusive)
            {
                _inode.Lock.ReleaseExclusive();
            }
            else
            {
                _inode.Lock.ReleaseShared();
            }
        }
    }

    private void ReleaseAll()
    {
        LeaveGate();
        ReleaseLock();
    }

    /// <summary>What the direct part did: its result, and whether the rest goes the buffered way.</summary>
    private readonly record struct DirectOutcome(IoResult Result, bool MustFallBack)
    {
        public static DirectOutcome Done(IoResult result) => new(result, MustFallBack: false);

        public static DirectOutcome FallBack(long done) => new(IoResult.Transferred(done), MustFallBack: true);
    }
}

using Penstock.Execution;
using System.Runtime.CompilerServices;
using Penstock.Caching;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>
/// Buffered writes of a file: stages user memory, takes the inode lock, does what every write does (privileges, times, gap), and lets the
/// page cache take the data.
/// </summary>
internal static class BufferedWritePath
{
    /// <summary>The longest write that is tried at once, in bytes: for longer ones the way through costs little beside the copy.</summary>
    private const int MaxAtOnce = 64 << 10;

    /// <summary>What a write with one of these options needs is not all at hand.</summary>
    private const IoOptions NotAtOnce = IoOptions.Direct | IoOptions.Append | IoOptions.DataSync | IoOptions.Sync;

    /// <summary>
    /// Overwrites what is cached, at once: true if that is all there is to do. Waits for nothing and allocates nothing. Called in a user place, as
    /// <paramref name="source"/> is the user's; it is copied before the lock is taken.
    /// </summary>
    public static bool TryWriteCached(Inode inode, ReadOnlySpan<byte> source, long offset, IoOptions options)
    {
        FileSystem fileSystem = inode.FileSystem;
        if ((options & NotAtOnce) != 0 || source.IsEmpty || source.Length > MaxAtOnce || fileSystem.ReadOnlyReason is not null
            || fileSystem.PageCache.DirtyBytes > fileSystem.PageCache.DirtyLimit || !fileSystem.Scheduler.MayTouchUserMemory
            || fileSystem.Scheduler.IsBroken(Rule.OptionsSnapshotOnce) || inode.ProtectsItself || inode.JournalsData)
        {
            return false;
        }

        using StagingMemory staging = StagingMemory.Stage(source);
        if (!inode.Lock.TryAcquireExclusive())
        {
            return false;
        }

        try
        {
            (ushort mode, FileFlags flags) = inode.ModeAndFlags;
            if (inode.Gate.IsHeld || offset > inode.Size - source.Length || Privileges.HasModeBits(mode) || inode.MayHaveCapabilities
                || (flags & (FileChecks.Unchangeable | FileFlags.Synchronous)) != 0)
            {
                return false;
            }

            FileTimes.Modified(inode);

            // What is left over is written once more, with the rest: until this write has returned, nobody can tell.
            return PageWriter.WriteReady(inode, new SegmentCursor(staging.List!), offset, source.Length) == source.Length;
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<IoResult> WriteAsync(
        Inode inode, SegmentList memory, long offset, IoOptions options, ErrorCursor cursor)
    {
        if (memory.Length == 0)
        {
            return default;
        }

        FileChecks.MayChange(inode, (options & RequestOptions.WrittenBack) != 0);
        bool isAppend = (options & IoOptions.Append) != 0;
        IoResult result = await WriteStagedAsync(
            inode, memory, 0, isAppend ? -1 : offset, memory.Length, RequestOptions.KeepsSetIdOf(options)).ConfigureAwait(false);
        return await DirectWritePath.SyncIfAskedAsync(inode, result, options, cursor).ConfigureAwait(false);
    }

    /// <summary>Writes a part of <paramref name="memory"/>, from <paramref name="start"/> on; takes the inode lock itself.</summary>
    public static ValueTask<IoResult> WritePartAsync(
        Inode inode, SegmentList memory, long start, long offset, long length, bool keepsSetId = false) =>
        WriteStagedAsync(inode, memory, start, offset, length, keepsSetId);

    /// <summary>Writes in pieces that can be staged; an append (offset -1) in one, so that no other comes between.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<IoResult> WriteStagedAsync(
        Inode inode, SegmentList memory, long start, long offset, long length, bool keepsSetId)
    {
        if (memory.IsOurs)
        {
            return await WriteLockedAsync(inode, memory, start, offset, length, keepsSetId).ConfigureAwait(false);
        }

        long done = 0;
        while (done < length)
        {
            await inode.FileSystem.Scheduler.SwitchToUserPlace();
            int piece = (int)(offset < 0 ? length : Math.Min(length - done, StagingMemory.MaxLength));
            using StagingMemory staging = StagingMemory.Stage(memory, start + done, piece);
            long at = offset < 0 ? -1 : offset + done;
            IoResult result = await WriteLockedAsync(inode, staging.List!, 0, at, piece, keepsSetId).ConfigureAwait(false);
            done += result.Bytes;
            if (result.IsFailed || result.Bytes < piece)
            {
                return new IoResult(done, result.Fault);
            }
        }

        return IoResult.Transferred(done);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<IoResult> WriteLockedAsync(
        Inode inode, SegmentList memory, long start, long offset, long length, bool keepsSetId)
    {
        // While there is too much dirty data: before the lock, so that readers of attributes and others are not held up with the writer.
        IoFault fault = await inode.FileSystem.PageCache.ThrottleAsync(inode.Pages!).ConfigureAwait(false);
        if (fault != IoFault.None)
        {
            return IoResult.Failed(fault);
        }

        // Rules 1.8 and 1.9: the inode lock is not touched where a file protects itself, and a device has nothing to protect.
        bool locks = !inode.ProtectsItself;
        if (locks)
        {
            await inode.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        }

        try
        {
            if (locks)
            {
                await BufferedPath.WaitForDirectIoAsync(inode).ConfigureAwait(false);
            }

            long size = inode.Size;
            long at = offset < 0 ? size : offset;
            length = FileChecks.LimitLength(inode, at, length);
            if (Privileges.AreToBeCleared(inode, keepsSetId))
            {
                await Privileges.ClearAsync(inode, keepsSetId).ConfigureAwait(false);
            }

            FileTimes.Modified(inode);
            if (at > size && !inode.FileSystem.Scheduler.IsBroken(Execution.Rule.GapIsZeroed))
            {
                // Rule 2.11: what lies between the old end and the write reads as zeros.
                await BufferedPath.ZeroGapAsync(inode, size, at).ConfigureAwait(false);
            }

            IoResult result = await BufferedPath.WriteAsync(inode, memory, start, at, length).ConfigureAwait(false);
            if (inode.JournalsData && result.Bytes > 0)
            {
                // At once, so that data and names reach the log in the order in which they were changed.
                _ = await inode.Pages!.LogAsync(at, result.Bytes).ConfigureAwait(false);
            }

            return result;
        }
        finally
        {
            if (locks)
            {
                inode.Lock.ReleaseExclusive();
            }
        }
    }
}

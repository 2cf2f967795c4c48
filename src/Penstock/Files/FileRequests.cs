using System.Runtime.CompilerServices;
using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>
/// The requests of an open file: chooses direct or buffered once (Rule 2.15), runs the path, and turns faults into exceptions at the edge.
/// Every method disposes the memory it is given.
/// </summary>
internal static class FileRequests
{
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<int> ReadIntAsync(OpenFile file, SegmentList memory, long offset, IoOptions options) =>
        (int)Judge(await ReadAsync(file, memory, offset, options).ConfigureAwait(false), file, "read");

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<long> ReadLongAsync(OpenFile file, SegmentList memory, long offset, IoOptions options) =>
        Judge(await ReadAsync(file, memory, offset, options).ConfigureAwait(false), file, "read");

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<int> WriteIntAsync(OpenFile file, SegmentList memory, long offset, IoOptions options) =>
        (int)Judge(await WriteAsync(file, memory, offset, options).ConfigureAwait(false), file, "write");

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<long> WriteLongAsync(OpenFile file, SegmentList memory, long offset, IoOptions options) =>
        Judge(await WriteAsync(file, memory, offset, options).ConfigureAwait(false), file, "write");

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<IoResult> ReadAsync(OpenFile file, SegmentList memory, long offset, IoOptions options)
    {
        Inode inode = file.Inode;
        if (inode.FileSystem.Scheduler.IsBroken(Rule.OptionsSnapshotOnce))
        {
            options = await LookAgainAsync(file).ConfigureAwait(false);
        }

        if (inode.FileSystem.Scheduler.IsBroken(Rule.VectoredIsOneEpisode) && memory.Segments.Length > 1)
        {
            return await EachAloneAsync(file, memory, offset, options, isWrite: false).ConfigureAwait(false);
        }

        try
        {
            IoResult result = MappedMemoryPath.Takes(inode, memory, offset, options)
                ? await MappedMemoryPath.ReadAsync(inode, memory, offset, options, file.Readahead).ConfigureAwait(false)
                : (options & IoOptions.Direct) != 0
                ? await DirectPath.ReadAsync(inode, memory, offset, file.Readahead).ConfigureAwait(false)
                : await BufferedPath.ReadAsync(inode, memory, 0, offset, memory.Length, file.Readahead).ConfigureAwait(false);
            if (result.Bytes > 0)
            {
                FileTimes.Accessed(inode, options);
            }

            return result;
        }
        finally
        {
            memory.Dispose();
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<IoResult> WriteAsync(OpenFile file, SegmentList memory, long offset, IoOptions options)
    {
        Inode inode = file.Inode;
        if ((inode.Attributes.Flags & FileFlags.Synchronous) != 0)
        {
            options |= IoOptions.Sync;
        }

        if (inode.FileSystem.Scheduler.IsBroken(Rule.OptionsSnapshotOnce))
        {
            options = await LookAgainAsync(file).ConfigureAwait(false);
        }

        if (inode.FileSystem.Scheduler.IsBroken(Rule.VectoredIsOneEpisode) && memory.Segments.Length > 1)
        {
            return await EachAloneAsync(file, memory, offset, options, isWrite: true).ConfigureAwait(false);
        }

        try
        {
            return MappedMemoryPath.Takes(inode, memory, offset, options)
                ? await MappedMemoryPath.WriteAsync(inode, memory, offset, options, file.ErrorCursor).ConfigureAwait(false)
                : (options & IoOptions.Direct) != 0
                ? await DirectWritePath.WriteAsync(inode, memory, offset, options, file.ErrorCursor).ConfigureAwait(false)
                : await BufferedWritePath.WriteAsync(inode, memory, offset, options, file.ErrorCursor).ConfigureAwait(false);
        }
        finally
        {
            memory.Dispose();
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<bool> FlushAsync(OpenFile file, bool dataOnly)
    {
        await SyncPath.FsyncAsync(file.Inode, dataOnly, file.ErrorCursor).ConfigureAwait(false);
        return true;
    }

    public static async ValueTask<bool> SetLengthAsync(OpenFile file, long length)
    {
        FileChecks.MayTruncate(file.Inode);
        await TruncatePath.SetSizeAsync(file.Inode, length).ConfigureAwait(false);
        return true;
    }

    public static long Judge(IoResult result, OpenFile file, string what)
    {
        if (result.IsFailed && result.Bytes == 0)
        {
            throw new FileSystemException(result.Fault, $"{what} of {file.Inode}: {result.Fault.Describe()}");
        }

        return result.Bytes;
    }

    /// <summary>The options of the file after the request has begun, in a build where Rule 2.15 is off.</summary>
    private static async ValueTask<IoOptions> LookAgainAsync(OpenFile file)
    {
        await file.Inode.FileSystem.Scheduler.Yield();
        return file.Options;
    }

    /// <summary>Each segment as a request of its own, in a build where Rule 1.22 is off.</summary>
    private static async ValueTask<IoResult> EachAloneAsync(OpenFile file, SegmentList memory, long offset, IoOptions options, bool isWrite)
    {
        try
        {
            long bytes = 0;
            for (int i = 0; i < memory.Segments.Length; i++)
            {
                IoSegment segment = memory.Segments[i];
                SegmentList alone = SegmentList.Rent([segment], memory.IsOurs);
                IoResult result = isWrite
                    ? await WriteAsync(file, alone, offset + bytes, options).ConfigureAwait(false)
                    : await ReadAsync(file, alone, offset + bytes, options).ConfigureAwait(false);
                bytes += result.Bytes;
                if (result.IsFailed || result.Bytes < segment.Length)
                {
                    return new IoResult(bytes, result.Fault);
                }
            }

            return IoResult.Transferred(bytes);
        }
        finally
        {
            memory.Dispose();
        }
    }
}

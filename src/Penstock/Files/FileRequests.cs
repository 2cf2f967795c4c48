using Penstock.Execution;
using System.Runtime.CompilerServices;
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
        try
        {
            IoResult result = (options & IoOptions.Direct) != 0
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

        try
        {
            return (options & IoOptions.Direct) != 0
                ? await DirectWritePath.WriteAsync(inode, memory, offset, options, file.ErrorCursor).ConfigureAwait(false)
                : await BufferedWritePath.WriteAsync(inode, memory, offset, options, file.ErrorCursor).ConfigureAwait(false);
        }
        finally
        {
            memory.Dispose();
        }
    }

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
}

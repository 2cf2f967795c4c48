// Stands in until the real paths land; whoever lands BufferedPath, TruncatePath, FallocatePath or SyncPath deletes its stub here.
#pragma warning disable SA1402
using Penstock.Caching;
using Penstock.Memory;

namespace Penstock.Files;

internal sealed class ReadaheadState
{
}

internal static class BufferedPath
{
    public static bool TryReadCached(Inode inode, Span<byte> destination, long offset, out int bytes) => throw new NotImplementedException();

    public static ValueTask<IoResult> ReadAsync(Inode inode, SegmentList memory, long start, long offset, long length, ReadaheadState readahead) =>
        throw new NotImplementedException();

    public static ValueTask<IoResult> WriteAsync(Inode inode, SegmentList data, long start, long offset, long length) =>
        throw new NotImplementedException();

    public static ValueTask ZeroGapAsync(Inode inode, long from, long to) => throw new NotImplementedException();
}

internal static class TruncatePath
{
    public static ValueTask SetSizeAsync(Inode inode, long newSize) => throw new NotImplementedException();
}

internal static class SyncPath
{
    public static ValueTask FsyncAsync(Inode inode, bool dataOnly, ErrorCursor cursor) => throw new NotImplementedException();

    public static ValueTask SyncFileSystemAsync(FileSystem fileSystem) => throw new NotImplementedException();
}

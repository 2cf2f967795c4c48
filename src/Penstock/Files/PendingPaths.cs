// Stands in until the real paths land; whoever lands BufferedPath, TruncatePath, FallocatePath or SyncPath deletes its stub here.
#pragma warning disable SA1402
using Penstock.Caching;
using Penstock.Memory;

namespace Penstock.Files;

internal static class TruncatePath
{
    public static ValueTask SetSizeAsync(Inode inode, long newSize) => throw new NotImplementedException();
}

internal static class SyncPath
{
    public static ValueTask FsyncAsync(Inode inode, bool dataOnly, ErrorCursor cursor) => throw new NotImplementedException();

    public static ValueTask SyncFileSystemAsync(FileSystem fileSystem) => throw new NotImplementedException();
}

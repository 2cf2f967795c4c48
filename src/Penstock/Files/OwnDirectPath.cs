using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>
/// Direct I/O of a format that brings its own operation (Rule 1.23): the gate is not entered, since what removes blocks there is not ours to hold
/// back. What keeps cache and store in agreement stays: dirty pages of the range are written back before, cached ones dropped before and after a write.
/// </summary>
internal static class OwnDirectPath
{
    /// <summary>Reads; enters and returns holding nothing. Alignment and size have been looked at.</summary>
    public static async ValueTask<IoResult> ReadAsync(Inode inode, SegmentList memory, long offset)
    {
        IoFault fault = await WriteBackAsync(inode, offset, memory.Length).ConfigureAwait(false);
        return fault != IoFault.None
            ? IoResult.Failed(fault)
            : await inode.ReadDirectAsync(memory, offset).ConfigureAwait(false);
    }

    /// <summary>Writes under the inode lock, so that appends do not meet; enters and returns holding nothing.</summary>
    public static async ValueTask<IoResult> WriteAsync(Inode inode, SegmentList memory, long offset, IoOptions options)
    {
        bool keepsSetId = RequestOptions.KeepsSetIdOf(options);
        await inode.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            offset = (options & IoOptions.Append) != 0 ? inode.Size : offset;
            if (offset + memory.Length > inode.FileSystem.MaxFileSize)
            {
                return IoResult.Failed(IoFault.FileTooLarge);
            }

            IoFault fault = await WriteBackAsync(inode, offset, memory.Length).ConfigureAwait(false);
            if (fault != IoFault.None)
            {
                return IoResult.Failed(fault);
            }

            if (Privileges.AreToBeCleared(inode, keepsSetId))
            {
                await Privileges.ClearAsync(inode, keepsSetId).ConfigureAwait(false);
            }

            FileTimes.Modified(inode);
            await DropPagesAsync(inode, offset, memory.Length).ConfigureAwait(false);
            IoResult result = await inode.WriteDirectAsync(memory, offset).ConfigureAwait(false);
            if (offset + result.Bytes > inode.Size && result.Bytes > 0)
            {
                TruncatePath.PublishSizes(inode, offset + result.Bytes);
            }

            await DropPagesAsync(inode, offset, memory.Length).ConfigureAwait(false);
            return result;
        }
        finally
        {
            inode.Lock.ReleaseExclusive();
        }
    }

    private static ValueTask<IoFault> WriteBackAsync(Inode inode, long offset, long length) =>
        inode.FileSystem.Scheduler.IsBroken(Rule.OwnDirectIoIsFramed)
            ? new ValueTask<IoFault>(IoFault.None)
            : inode.Pages!.WriteBackAsync(offset, length);

    /// <summary>A page that stays was dirtied meanwhile: the next fsync says that cache and store disagree (Rule 2.6).</summary>
    private static async ValueTask DropPagesAsync(Inode inode, long offset, long length)
    {
        if (!inode.FileSystem.Scheduler.IsBroken(Rule.OwnDirectIoIsFramed)
            && !await inode.Pages!.InvalidateAsync(offset, length).ConfigureAwait(false))
        {
            inode.Pages.Errors.RecordDisagreement();
        }
    }
}

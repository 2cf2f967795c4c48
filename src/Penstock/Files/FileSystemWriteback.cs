using Penstock.Caching;

namespace Penstock.Files;

/// <summary>Writes back the dirty pages of all files of one volume.</summary>
internal static class FileSystemWriteback
{
    /// <summary>Files whose writeback is under way at once: enough to keep a device busy with small ones.</summary>
    private const int FilesAtOnce = 64;

    /// <summary>Writes back and waits; the first fault, after everything was tried.</summary>
    public static async ValueTask<IoFault> RunAsync(FileSystem fileSystem)
    {
        IoFault fault = IoFault.None;
        FilePages[] dirty = [.. fileSystem.PageCache.DirtyFiles.Snapshot().Where(pages => pages.File.Journal == fileSystem.Journal)];
        for (int i = 0; i < dirty.Length + FilesAtOnce; i++)
        {
            if (i < dirty.Length)
            {
                IoFault started = await dirty[i].StartWritebackAsync(0, long.MaxValue).ConfigureAwait(false);
                fault = fault == IoFault.None ? started : fault;
            }

            if (i >= FilesAtOnce)
            {
                FilePages pages = dirty[i - FilesAtOnce];
                await pages.WaitWritebackAsync(0, long.MaxValue).ConfigureAwait(false);
                fault = fault == IoFault.None && pages.HasFailed ? pages.Errors.Last : fault;
            }
        }

        return fault;
    }

    /// <summary>
    /// The volume is being given up: what could not be written leaves the cache, which other volumes share. The fault that kept it from being written,
    /// or none where nothing was left. Nobody uses the volume any more.
    /// </summary>
    public static async ValueTask<IoFault> DropAsync(FileSystem fileSystem)
    {
        IoFault fault = IoFault.None;
        foreach (FilePages pages in fileSystem.PageCache.DirtyFiles.Snapshot())
        {
            if (pages.File.Journal == fileSystem.Journal)
            {
                IoFault last = pages.Errors.Last == IoFault.None ? IoFault.DeviceFailed : pages.Errors.Last;
                fault = fault == IoFault.None ? last : fault;
                await pages.RemoveAsync(0, long.MaxValue).ConfigureAwait(false);
            }
        }

        return fault;
    }

    /// <summary>Turns reservations into blocks and lets freed blocks be used again, when a volume seems full. Faults are for the sync to report.</summary>
    public static async ValueTask MakeRoomAsync(FileSystem fileSystem)
    {
        _ = await RunAsync(fileSystem).ConfigureAwait(false);
        try
        {
            await fileSystem.Journal.CommitAsync(fileSystem.Journal.Running).ConfigureAwait(false);
        }
        catch (FileSystemException)
        {
            // The write that asked for room gets its NoSpace; the failed commit has aborted the journal, which says so to everybody.
        }
    }
}

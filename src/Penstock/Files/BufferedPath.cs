using System.Runtime.CompilerServices;
using Penstock.Caching;
using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>Buffered reads of a file: out of the page cache, which fills itself on the way. Buffered writes are in <see cref="PageWriter"/>.</summary>
internal static class BufferedPath
{
    /// <summary>
    /// Reads what is cached, at once: true if that is the whole answer. Waits for nothing, allocates nothing, takes no lock. Called in a
    /// user place, as <paramref name="destination"/> is the user's.
    /// </summary>
    public static bool TryReadCached(Inode inode, Span<byte> destination, long offset, out int bytes)
    {
        // Rule 2.13: the size first.
        long size = inode.Size;
        bytes = 0;
        if (offset >= size || destination.IsEmpty)
        {
            return true;
        }

        FilePages pages = inode.Pages!;
        int length = (int)Math.Min(destination.Length, size - offset);
        long index = offset / pages.PageSize;
        int within = (int)(offset % pages.PageSize);
        for (int done = 0; done < length; index++)
        {
            int piece = Math.Min(pages.PageSize - within, length - done);
            if (!pages.TryCopy(index, within, destination.Slice(done, piece)))
            {
                return false;
            }

            done += piece;
            within = 0;
        }

        bytes = length;
        return true;
    }

    /// <summary>
    /// Reads <paramref name="length"/> bytes of the file from <paramref name="offset"/> on into <paramref name="memory"/>, from its byte
    /// <paramref name="start"/> on. Holds no lock while it copies; user memory is touched in a user place only.
    /// </summary>
    /// <exception cref="FileSystemException">The first byte could not be found on the volume (corrupt mapping).</exception>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public static async ValueTask<IoResult> ReadAsync(
        Inode inode, SegmentList memory, long start, long offset, long length, ReadaheadState readahead)
    {
        // Rule 2.13: sampled before; what lies at or beyond it is not read.
        long size = inode.Size;
        length = Math.Min(length, size - offset);
        FilePages pages = inode.Pages!;
        PinnedPages pinned = PinnedPages.Rent();
        try
        {
            long done = 0;
            while (done < length)
            {
                long position = offset + done;
                FillOutcome outcome = Gather(pages, pinned, position, length - done, readahead)
                    ? default
                    : await FetchAsync(pages, pinned, position, length - done, size, readahead).ConfigureAwait(false);
                int within = (int)(position % pages.PageSize);
                long bytes = Math.Min(((long)pinned.Count * pages.PageSize) - within, length - done);
                if (pinned.Count > 0)
                {
                    if (!memory.IsOurs)
                    {
                        await inode.FileSystem.Scheduler.SwitchToUserPlace();
                    }

                    pinned.CopyTo(memory, start + done, within, bytes);
                    pinned.Release();
                    done += bytes;
                }

                if (outcome.Fault != IoFault.None)
                {
                    return outcome.Failure is not null && done == 0 ? throw outcome.Failure : new IoResult(done, outcome.Fault);
                }
            }

            return IoResult.Transferred(Math.Max(done, 0));
        }
        finally
        {
            pinned.Return();
        }
    }

    /// <summary>
    /// Writes <paramref name="length"/> bytes of <paramref name="data"/>, from its byte <paramref name="start"/> on, to the cache. The inode lock is
    /// held exclusively, and the data is ours (staged): no user memory is touched under a lock. The size moves forward as pages are filled.
    /// </summary>
    public static ValueTask<IoResult> WriteAsync(Inode inode, SegmentList data, long start, long offset, long length)
    {
        if (!data.IsOurs)
        {
            throw new InvalidOperationException("User memory is staged before a buffered write takes its locks.");
        }

        return PageWriter.WriteAsync(inode, data, start, offset, length);
    }

    /// <summary>
    /// Rule 2.11: makes the bytes between the old end of the file, <paramref name="from"/>, and a write at <paramref name="to"/> read as zeros: what
    /// the last block holds beyond the end is zeroed in the cache and made dirty. The inode lock is held exclusively. Who goes on to write
    /// directly into the same block writes the range back first.
    /// </summary>
    public static async ValueTask ZeroGapAsync(Inode inode, long from, long to)
    {
        int blockSize = inode.FileSystem.BlockSize;
        long blockEnd = (from + blockSize - 1) & -blockSize;
        if (from < blockEnd)
        {
            if (!inode.ProtectsItself)
            {
                await WaitForDirectIoAsync(inode).ConfigureAwait(false);
            }

            await PageWriter.ZeroAsync(inode, from, Math.Min(to, blockEnd)).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Invariant 3.3: a page that is filled and dirtied while a direct write of its other bytes is in flight would write the old ones back over
    /// it. New direct I/O cannot start: the inode lock is held exclusively.
    /// </summary>
    public static async ValueTask WaitForDirectIoAsync(Inode inode)
    {
        if (inode.Gate.IsHeld && !inode.FileSystem.Scheduler.IsBroken(Rule.BufferedWriteWaitsForDirectIo))
        {
            await inode.Gate.AcquireExclusiveAsync().ConfigureAwait(false);
            inode.Gate.ReleaseExclusive();
        }
    }

    private static int CountPages(FilePages pages, long offset, long length) =>
        (int)Math.Min(((offset + length - 1) / pages.PageSize) - (offset / pages.PageSize) + 1, int.MaxValue);

    /// <summary>Pins the pages from <paramref name="position"/> on that are up to date; false if the first is not.</summary>
    private static bool Gather(FilePages pages, PinnedPages pinned, long position, long length, ReadaheadState readahead)
    {
        int wanted = Math.Min(CountPages(pages, position, length), PinnedPages.Capacity);
        for (long index = position / pages.PageSize; pinned.Count < wanted; index++)
        {
            if (pages.TryPinUpToDate(index) is not { } page)
            {
                break;
            }

            pinned.Add(page);
            if (page.IsReadaheadMarker && pages.TakeMarker(page))
            {
                Readahead.Start(pages, readahead.OnMarker(index, pages.PageSize, pages.File.PageCache.MostReadAhead));
            }
        }

        return pinned.Count > 0;
    }

    /// <summary>Fills the page at <paramref name="position"/> and what readahead adds, or waits for who fills it already.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<FillOutcome> FetchAsync(
        FilePages pages, PinnedPages pinned, long position, long length, long size, ReadaheadState readahead)
    {
        long index = position / pages.PageSize;
        if (pages.TryPin(index) is { } present)
        {
            await pages.WaitUnlockedAsync(present).ConfigureAwait(false);
            present.Unpin();
            return default;
        }

        int wanted = Math.Min(CountPages(pages, position, length), PinnedPages.Capacity);
        int left = CountPages(pages, index * pages.PageSize, size - (index * pages.PageSize));
        ReadaheadWindow window = readahead.OnMiss(index, wanted, pages.PageSize);
        return await PageFill.RunAsync(pages, index, Math.Min(window.Count, left), pinned, wanted, window.Marker).ConfigureAwait(false);
    }
}

using Penstock.Execution;
using System.Numerics;
using System.Runtime.CompilerServices;
using Penstock.Caching;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Files;

/// <summary>
/// Puts data into the pages of a file: page by page, locked one at a time. The inode lock is held exclusively by the caller.
/// </summary>
/// <remarks>
/// Delayed allocation: a block that is a hole is only reserved here, so that a full volume is met by the write and not by the writeback;
/// where it will be is decided when the page is written back. A page that is written in part is read first, unless all of it lies beyond the end.
/// </remarks>
internal static class PageWriter
{
    /// <summary>Writes data; the bytes before a fault are in the cache and part of the file. Completes at once, and allocates nothing, where it need not wait.</summary>
    public static ValueTask<IoResult> WriteAsync(Inode inode, SegmentList data, long start, long offset, long length)
    {
        long done = WriteReady(inode, new SegmentCursor(data, start), offset, length);
        return done == length
            ? new ValueTask<IoResult>(IoResult.Transferred(length))
            : WriteWaitingAsync(inode, data, start, offset, length, done);
    }

    /// <summary>As <see cref="WriteAsync"/>, as far as pages are cached, free to be changed, and mapped without waiting: the bytes written.</summary>
    public static long WriteReady(Inode inode, SegmentCursor data, long offset, long length)
    {
        if (inode.HasInlineData && offset + length > inode.InlineCapacity)
        {
            return 0;
        }

        FilePages pages = inode.Pages!;
        BlockRun run = default;
        long done = 0;
        while (done < length)
        {
            long position = offset + done;
            int within = (int)(position % pages.PageSize);
            int bytes = (int)Math.Min(pages.PageSize - within, length - done);
            if (pages.TryBeginWrite(position / pages.PageSize) is not { } page)
            {
                break;
            }

            uint blocks = BlocksOf(pages, inode, within, bytes);
            if (!TryReserve(inode, page, blocks & ~page.DirtyBlocks, ref run, out uint delayed))
            {
                Abandon(pages, page);
                break;
            }

            data.CopyTo(page.Memory.Slice(within, bytes).Bytes);
            done += bytes;
            PublishSize(inode, offset + done);
            pages.EndWrite(page, blocks, delayed);
        }

        return done;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<IoResult> WriteWaitingAsync(
        Inode inode, SegmentList data, long start, long offset, long length, long done)
    {
        if (inode.HasInlineData && offset + length > inode.InlineCapacity)
        {
            await InlineConversion.RunAsync(inode).ConfigureAwait(false);
        }

        FilePages pages = inode.Pages!;
        BlockRun run = default;
        bool hasMadeRoom = false;
        while (done < length)
        {
            long position = offset + done;
            int within = (int)(position % pages.PageSize);
            int bytes = (int)Math.Min(pages.PageSize - within, length - done);
            PageGrant grant = await BeginAsync(inode, position, bytes).ConfigureAwait(false);
            if (grant.Page is not { } page)
            {
                return new IoResult(done, grant.Fault);
            }

            uint blocks = BlocksOf(pages, inode, within, bytes);
            Reservation reservation = await ReserveAsync(inode, page, blocks & ~page.DirtyBlocks, run).ConfigureAwait(false);
            run = reservation.Run;
            if (reservation.Fault == IoFault.None)
            {
                data.CopyTo(start + done, page.Memory.Slice(within, bytes).Bytes);
                done += bytes;
                PublishSize(inode, offset + done);
                pages.EndWrite(page, blocks, reservation.Delayed);
                continue;
            }

            Abandon(pages, page);
            if (hasMadeRoom || reservation.Fault != IoFault.NoSpace)
            {
                return new IoResult(done, reservation.Fault);
            }

            // Reservations of metadata are generous: what is written back gives the surplus back, and a commit what was freed.
            hasMadeRoom = true;
            run = default;
            await FileSystemWriteback.MakeRoomAsync(inode.FileSystem).ConfigureAwait(false);
        }

        return IoResult.Transferred(done);
    }

    private static void PublishSize(Inode inode, long end)
    {
        if (end > inode.Size)
        {
            inode.Size = end;
        }
    }

    /// <summary>
    /// Makes bytes of one block zeros that reach the device; does nothing where the block is a hole or unwritten and reads as zeros anyway.
    /// </summary>
    /// <exception cref="FileSystemException">The block could not be found or read.</exception>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder))]
    public static async ValueTask ZeroAsync(Inode inode, long from, long to)
    {
        if (from >= to || inode.HasInlineData)
        {
            return;
        }

        // In this order: a block under a page may be converted at any moment by the end of a writeback; without a page it stays what it is.
        FilePages pages = inode.Pages!;
        bool isCached = pages.Contains(from / pages.PageSize);
        var block = new FileBlock((ulong)(from / inode.FileSystem.BlockSize));
        BlockRun run = await FindAsync(inode.Mapper!, block, 1).ConfigureAwait(false);
        if (run.State != MapState.Mapped && !isCached)
        {
            return;
        }

        int bytes = (int)(to - from);
        PageGrant grant = await BeginAsync(inode, from, bytes).ConfigureAwait(false);
        if (grant.Page is not { } page)
        {
            throw new FileSystemException(grant.Fault, $"{inode}: the block at byte {from} could not be zeroed: {grant.Fault.Describe()}");
        }

        await ZeroLockedAsync(inode, page, from, bytes, block).ConfigureAwait(false);
    }

    private static async ValueTask ZeroLockedAsync(Inode inode, CachePage page, long from, int bytes, FileBlock block)
    {
        FilePages pages = inode.Pages!;
        BlockRun run;
        try
        {
            run = await FindAsync(inode.Mapper!, block, 1).ConfigureAwait(false);
        }
        catch (FileSystemException)
        {
            Abandon(pages, page);
            throw;
        }

        int within = (int)(from % pages.PageSize);
        uint bit = BlocksOf(pages, inode, within, bytes);
        page.Memory.Slice(within, bytes).Bytes.Clear();
        bool reachesDevice = run.State == MapState.Mapped || (page.DirtyBlocks & bit) != 0;
        pages.EndWrite(page, reachesDevice ? bit : 0, delayedBlocks: 0);
    }

    /// <summary>Makes page 0 of a file with inline content dirty, so that size and content are stored together.</summary>
    public static async ValueTask TouchInlineAsync(Inode inode)
    {
        PageGrant grant = await BeginAsync(inode, 0, bytes: 0).ConfigureAwait(false);
        if (grant.Page is not { } page)
        {
            throw new FileSystemException(grant.Fault, $"{inode}: inline content could not be read: {grant.Fault.Describe()}");
        }

        inode.Pages!.EndWrite(page, dirtyBlocks: 1, delayedBlocks: 0);
    }

    /// <summary>The page for a write of <paramref name="bytes"/> bytes at <paramref name="position"/>: locked, pinned, not under writeback.</summary>
    private static ValueTask<PageGrant> BeginAsync(Inode inode, long position, int bytes)
    {
        FilePages pages = inode.Pages!;
        return pages.TryBeginWrite(position / pages.PageSize) is { } page
            ? new ValueTask<PageGrant>(new PageGrant(page, IoFault.None))
            : BeginWaitingAsync(inode, pages, position, bytes);
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<PageGrant> BeginWaitingAsync(Inode inode, FilePages pages, long position, int bytes)
    {
        long index = position / pages.PageSize;
        int within = (int)(position % pages.PageSize);
        while (true)
        {
            CachePage? page = pages.TryPin(index);
            if (page is null && NeedsNoRead(inode, pages, position, bytes))
            {
                PageGrant fresh = await InsertAsync(inode, pages, index, within, bytes).ConfigureAwait(false);
                if (fresh.Page is not null || fresh.Fault != IoFault.None)
                {
                    return fresh;
                }

                continue;
            }

            if (page is null)
            {
                PageGrant filled = await FillAsync(pages, index).ConfigureAwait(false);
                if (filled.Fault != IoFault.None)
                {
                    return filled;
                }

                page = filled.Page;
            }

            if (page is not null && await TryLockAsync(pages, page).ConfigureAwait(false))
            {
                return new PageGrant(page, IoFault.None);
            }
        }
    }

    /// <summary>Whether every byte of the page that the file has is about to be overwritten.</summary>
    private static bool NeedsNoRead(Inode inode, FilePages pages, long position, int bytes)
    {
        long pageStart = position / pages.PageSize * pages.PageSize;
        long size = inode.Size;
        return pageStart >= size || (position == pageStart && position + bytes >= Math.Min(size, pageStart + pages.PageSize));
    }

    /// <summary>A fresh page in the tree, zero around what is to be written; no page and no fault if somebody else was faster.</summary>
    private static async ValueTask<PageGrant> InsertAsync(Inode inode, FilePages pages, long index, int within, int bytes)
    {
        PageGrant grant = await inode.FileSystem.PageCache.TakeAsync(pages.PageSize).ConfigureAwait(false);
        if (grant.Page is not { } page)
        {
            return grant;
        }

        if (!pages.TryInsertLocked(index, page))
        {
            page.Unpin();
            return default;
        }

        Span<byte> memory = page.Memory.Bytes;
        memory[..within].Clear();
        memory[(within + bytes)..].Clear();
        return grant;
    }

    private static async ValueTask<PageGrant> FillAsync(FilePages pages, long index)
    {
        PinnedPages pinned = PinnedPages.Rent();
        try
        {
            FillOutcome outcome = await PageFill.RunAsync(pages, index, 1, pinned, keep: 1).ConfigureAwait(false);
            if (outcome.Failure is not null)
            {
                throw outcome.Failure;
            }

            return new PageGrant(pinned.TakeOnly(), outcome.Fault);
        }
        finally
        {
            pinned.Return();
        }
    }

    /// <summary>Locks a pinned page and waits for its writeback; false, and unpinned, where it is out of the tree by then.</summary>
    private static async ValueTask<bool> TryLockAsync(FilePages pages, CachePage page)
    {
        await pages.LockAsync(page).ConfigureAwait(false);
        await pages.WaitWritebackAsync(page).ConfigureAwait(false);
        if (pages.IsCached(page))
        {
            return true;
        }

        pages.Unlock(page);
        page.Unpin();
        return false;
    }

    /// <summary>Lets go of a page into which nothing was written; one that was made for the write goes.</summary>
    private static void Abandon(FilePages pages, CachePage page)
    {
        if (page.IsUpToDate)
        {
            pages.Unlock(page);
        }
        else
        {
            pages.EndFill(page, isUpToDate: false);
        }

        page.Unpin();
    }

    private static uint BlocksOf(FilePages pages, Inode inode, int within, int bytes)
    {
        int blockSize = inode.FileSystem.BlockSize;
        int first = within / blockSize;
        int count = ((within + bytes - 1) / blockSize) - first + 1;
        return (count >= 32 ? uint.MaxValue : (1u << count) - 1) << first;
    }

    /// <summary>Reserves room for those blocks that are holes, if the mapping is known and there is room; else reserves nothing.</summary>
    private static bool TryReserve(Inode inode, CachePage page, uint blocks, ref BlockRun run, out uint holes)
    {
        holes = 0;
        if (blocks == 0 || inode.HasInlineData)
        {
            return true;
        }

        BlockMapper mapper = inode.Mapper!;
        for (uint left = blocks; left != 0; left &= left - 1)
        {
            int bit = BitOperations.TrailingZeroCount(left);
            FileBlock block = BlockAt(inode.Pages!, page, bit);
            if (!IsIn(run, block) && !mapper.TryMap(block, CountAhead(mapper, block), out run))
            {
                run = default;
                return false;
            }

            holes |= run.State == MapState.Hole ? 1u << bit : 0;
        }

        return holes == 0 || mapper.TryReserve((ulong)BitOperations.PopCount(holes)) == IoFault.None;
    }

    /// <summary>Reserves room for those blocks that are holes. <paramref name="run"/> is what the call before learnt of the mapping.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private static async ValueTask<Reservation> ReserveAsync(Inode inode, CachePage page, uint blocks, BlockRun run)
    {
        if (blocks == 0 || inode.HasInlineData)
        {
            return new Reservation(IoFault.None, 0, run);
        }

        BlockMapper mapper = inode.Mapper!;
        uint holes = 0;
        try
        {
            for (uint left = blocks; left != 0; left &= left - 1)
            {
                int bit = BitOperations.TrailingZeroCount(left);
                FileBlock block = BlockAt(inode.Pages!, page, bit);
                if (!IsIn(run, block))
                {
                    run = await FindAsync(mapper, block, CountAhead(mapper, block)).ConfigureAwait(false);
                }

                holes |= run.State == MapState.Hole ? 1u << bit : 0;
            }
        }
        catch (FileSystemException)
        {
            Abandon(inode.Pages!, page);
            throw;
        }

        IoFault fault = holes == 0 ? IoFault.None : mapper.TryReserve((ulong)BitOperations.PopCount(holes));
        return new Reservation(fault, holes, run);
    }

    private static FileBlock BlockAt(FilePages pages, CachePage page, int bit) => new((ulong)((page.Index * pages.BlocksPerPage) + bit));

    private static bool IsIn(in BlockRun run, FileBlock block) => run.Count != 0 && block >= run.First && block < run.End;

    private static ulong CountAhead(BlockMapper mapper, FileBlock block) => Math.Min(MappedAhead, mapper.MaxBlocks - block.Value);

    /// <summary>How far one look at the mapping reaches: what follows in the same write need not look again.</summary>
    private const ulong MappedAhead = 1024;

    private static ValueTask<BlockRun> FindAsync(BlockMapper mapper, FileBlock block, ulong count) =>
        mapper.TryMap(block, count, out BlockRun run) ? new ValueTask<BlockRun>(run) : mapper.MapAsync(block, count);

    /// <summary>What was reserved for a page: the blocks that are delayed now, and the newest run of the mapping.</summary>
    private readonly record struct Reservation(IoFault Fault, uint Delayed, BlockRun Run);
}

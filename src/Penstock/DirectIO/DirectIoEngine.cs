using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.DirectIO;

/// <summary>
/// Walks the range of a direct request, asks the block mapper where its blocks are, and submits. It takes no lock of the inode: which locks are
/// held around it is its caller's choice (Rules 1.8 and 1.9), so a file system that protects itself uses it just as it is.
/// </summary>
internal static class DirectIoEngine
{
    /// <summary>Submits a read of <paramref name="length"/> bytes from <paramref name="offset"/> on, both aligned to the device; at once as far as the mapping is known.</summary>
    public static ValueTask SubmitReadAsync(DirectIoRequest request, BlockDevice device, BlockMapper mapper, long offset, long length, long size)
    {
        long end = offset + length;
        long position = offset;
        while (position < end && mapper.TryMap(BlockOf(mapper, position), BlocksTo(mapper, position, end), out BlockRun run))
        {
            position = SubmitReadOf(request, device, mapper, run, position, end, size);
        }

        return position >= end ? ValueTask.CompletedTask : SubmitReadWaitingAsync(request, device, mapper, position, end, size);
    }

    private static async ValueTask SubmitReadWaitingAsync(
        DirectIoRequest request, BlockDevice device, BlockMapper mapper, long position, long end, long size)
    {
        while (position < end)
        {
            BlockRun run = await FindAsync(mapper, position, end).ConfigureAwait(false);
            position = SubmitReadOf(request, device, mapper, run, position, end, size);
        }
    }

    /// <summary>Submits what of the read lies in the run, and returns where to go on.</summary>
    private static long SubmitReadOf(
        DirectIoRequest request, BlockDevice device, BlockMapper mapper, in BlockRun run, long position, long end, long size)
    {
        long runEnd = Math.Min(end, (long)run.End.Value * mapper.BlockSize);
        if (run.State == MapState.Mapped
            || (run.State == MapState.Unwritten && device.Scheduler.IsBroken(Rule.UnwrittenReadsAsZeros)))
        {
            request.Submit(DeviceOffset(mapper, run, position), runEnd - position);
        }
        else if (run.State == MapState.Hole && device.Scheduler.IsBroken(Rule.HoleInLastBlockIsInside)
            && (long)run.First.Value >= size / mapper.BlockSize)
        {
            return end;
        }
        else
        {
            // Rule 1.24: what was never written is zeros, whatever the device holds there.
            request.AddZeros(runEnd - position);
        }

        return runEnd;
    }

    /// <summary>
    /// Submits a write. Stops early, with less submitted, at a hole that must not be filled directly (Rules 1.11 and 1.12): the caller goes on
    /// buffered there. At once as far as the blocks are there and known.
    /// </summary>
    public static ValueTask SubmitWriteAsync(DirectIoRequest request, BlockDevice device, DirectWrite write)
    {
        BlockMapper mapper = write.Mapper;
        long position = write.Offset;
        while (position < write.End && mapper.TryMap(BlockOf(mapper, position), BlocksTo(mapper, position, write.End), out BlockRun run)
            && run.State != MapState.Hole)
        {
            position = SubmitRun(request, device.Scheduler, write, run, position);
        }

        return position >= write.End ? ValueTask.CompletedTask : SubmitWriteWaitingAsync(request, device, write, position);
    }

    private static async ValueTask SubmitWriteWaitingAsync(DirectIoRequest request, BlockDevice device, DirectWrite write, long position)
    {
        BlockMapper mapper = write.Mapper;
        while (position < write.End)
        {
            BlockRun run = await FindAsync(mapper, position, write.End).ConfigureAwait(false);
            if (run.State == MapState.Hole)
            {
                if (!write.MayAllocate(run.First, device.Scheduler))
                {
                    return;
                }

                run = await AllocateAsync(write, run, device.Scheduler).ConfigureAwait(false);
            }

            position = SubmitRun(request, device.Scheduler, write, run, position);
        }
    }

    private static FileBlock BlockOf(BlockMapper mapper, long position) => new((ulong)(position / mapper.BlockSize));

    private static ulong BlocksTo(BlockMapper mapper, long position, long end) =>
        (ulong)((end - 1) / mapper.BlockSize) - (ulong)(position / mapper.BlockSize) + 1;

    private static ValueTask<BlockRun> FindAsync(BlockMapper mapper, long position, long end)
    {
        FileBlock first = BlockOf(mapper, position);
        ulong count = BlocksTo(mapper, position, end);
        return mapper.TryMap(first, count, out BlockRun run) ? new ValueTask<BlockRun>(run) : mapper.MapAsync(first, count);
    }

    private static async ValueTask<BlockRun> AllocateAsync(DirectWrite write, BlockRun hole, Scheduler scheduler)
    {
        BlockMapper mapper = write.Mapper;
        ulong wanted = Math.Min(hole.Count, write.BlocksFrom(hole.First));

        // Rule 2.17: where the format can, the blocks read as zeros until their data has landed.
        bool isUnwritten = mapper.CanBeUnwritten && !scheduler.IsBroken(Rule.HoleAllocatedUnwritten);
        MapState state = isUnwritten ? MapState.Unwritten : MapState.Mapped;
        Handle handle = await write.Journal.BeginAsync(mapper.CreditsToAllocate(wanted)).ConfigureAwait(false);
        try
        {
            BlockRun run = await mapper.AllocateAsync(handle, hole.First, wanted, state, fromReservation: false).ConfigureAwait(false);
            write.NoteNew(run);
            return run;
        }
        finally
        {
            handle.Stop();
        }
    }

    /// <summary>Submits what of the write lies in the run, and returns where it ends.</summary>
    private static long SubmitRun(DirectIoRequest request, Scheduler scheduler, DirectWrite write, in BlockRun run, long position)
    {
        int blockSize = write.Mapper.BlockSize;
        long runEnd = Math.Min(write.End, (long)run.End.Value * blockSize);
        bool isNew = run.State == MapState.Unwritten || write.IsNew(run.First);
        int head = 0;
        int tail = 0;
        if (isNew && !scheduler.IsBroken(Rule.HeadsAndTailsAreZeroed))
        {
            head = (int)(position & (blockSize - 1));
            tail = (int)(-runEnd & (blockSize - 1));
        }

        if (run.State == MapState.Unwritten)
        {
            ulong blocks = (ulong)((runEnd - 1) / blockSize) - run.First.Value + 1;
            request.AddUnwritten(run with { Count = blocks });
        }

        request.Submit(DeviceOffset(write.Mapper, run, position), runEnd - position, head, tail);
        return runEnd;
    }

    private static long DeviceOffset(BlockMapper mapper, in BlockRun run, long position) =>
        ((long)run.Volume.Value * mapper.BlockSize) + (position - ((long)run.First.Value * mapper.BlockSize));
}

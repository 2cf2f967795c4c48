using System.Runtime.CompilerServices;
using Penstock.Execution;

namespace Penstock.Caching;

/// <content>Writing back a range.</content>
internal sealed partial class FilePages
{
    /// <summary>The most batches of one range in flight at once.</summary>
    private const int BatchesInFlight = 8;

    /// <summary>
    /// Writes back the dirty pages of a range and waits for them, and for those that others have started (Rule 2.19); an error that no
    /// writeback has reported yet is reported even if nothing is dirty or cached. Takes no inode lock.
    /// </summary>
    public ValueTask<IoFault> WriteBackAsync(long offset, long length) =>
        (IsDirty || Scheduler.IsBroken(Rule.CleanFileNeedsNoWait)) && length > 0 ? WriteBackPagesAsync(offset, length) : new ValueTask<IoFault>(Errors.TakePending());

    /// <summary>
    /// Puts what is dirty of a range into the journal's log (<see cref="IPagedFile.JournalsData"/>). What cannot be put there stays dirty, and is told to whoever syncs.
    /// </summary>
    public ValueTask<IoFault> LogAsync(long offset, long length)
    {
        (long first, long last) = PagesOf(offset, length);
        return StartWritebackAsync(first, last);
    }

    /// <summary>Sends the dirty pages of a range to the device, without waiting for the last of them; the first fault of those that could not be sent.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public async ValueTask<IoFault> StartWritebackAsync(long first, long last)
    {
        IoFault fault = IoFault.None;
        bool mustAllocate = false;
        var started = new Queue<(long First, long Last)>();
        for (long next = first; (next = FindNext(next, last, PageTag.Dirty)) >= 0;)
        {
            int most = (int)Math.Min(last - next, int.MaxValue - 1) + 1;
            BatchStart start = await WritebackBatch.StartAsync(this, next, most, mustAllocate).ConfigureAwait(false);
            mustAllocate = start.MustAllocate;
            fault = fault == IoFault.None ? start.Fault : fault;
            started.Enqueue((next, start.Next - 1));
            next = start.Next;
            if (started.Count > BatchesInFlight)
            {
                (long oldFirst, long oldLast) = started.Dequeue();
                await WaitWritebackAsync(oldFirst, oldLast).ConfigureAwait(false);
            }
        }

        return fault;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<IoFault> WriteBackPagesAsync(long offset, long length)
    {
        if (Scheduler.IsBroken(Rule.CleanFileNeedsNoWait))
        {
            await Scheduler.Yield();
        }

        (long first, long last) = PagesOf(offset, length);
        IoFault fault = await StartWritebackAsync(first, last).ConfigureAwait(false);
        if (fault != IoFault.None && Scheduler.IsBroken(Rule.WritebackAlwaysWaits))
        {
            return fault;
        }

        // Somebody else may send what has failed once more before this is looked at: how that ends says whether it is on the device.
        do
        {
            await WaitWritebackAsync(first, last).ConfigureAwait(false);
        }
        while (IsSentAgainIn(first, last));

        IoFault pending = Errors.TakePending();
        if (fault == IoFault.None && HasFailedIn(first, last))
        {
            // Another caller may have taken the pending error; these pages are not on the device all the same.
            fault = Errors.Last;
        }

        return fault != IoFault.None ? fault : pending;
    }
}

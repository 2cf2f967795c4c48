using System.Numerics;
using System.Runtime.CompilerServices;
using Penstock.Execution;
using Penstock.Mapping;

namespace Penstock.Caching;

/// <content>Step 2: blocks for the dirty blocks of the locked pages.</content>
internal sealed partial class WritebackBatch
{
    /// <summary>
    /// Maps the dirty blocks of the locked pages and allocates what is missing. Pages that cannot be sent now are let go; what is left in the batch is ready.
    /// </summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<BatchStart> MapAsync()
    {
        if (_count == 0)
        {
            return new BatchStart(_first + 1, IoFault.None);
        }

        if (_file.File.HasInlineData)
        {
            return new BatchStart(_first + _count, IoFault.None);
        }

        IoFault fault = IoFault.None;
        int page = 0;
        try
        {
            while (page < _count && await MapPageAsync(page).ConfigureAwait(false))
            {
                page++;
            }
        }
        catch (FileSystemException e)
        {
            fault = e.Fault;
        }

        bool isCut = page < _count;
        return isCut ? Cut(page, fault) : new BatchStart(_first + _count, IoFault.None);
    }

    /// <summary>Keeps the pages before <paramref name="kept"/>; with a fault the others have failed, without one they come again, prepared.</summary>
    private BatchStart Cut(int kept, IoFault fault)
    {
        long next = _first + kept;
        if (fault != IoFault.None)
        {
            next = _first + _count;
            for (int i = kept; i < _count; i++)
            {
                _file.NoteFailed(_pages[i]);
            }

            _file.Errors.Record(fault);
        }

        var end = new FileBlock((ulong)((_first + kept) * _file.BlocksPerPage));
        while (_runs.Count > 0 && _runs[^1].First >= end)
        {
            _runs.RemoveAt(_runs.Count - 1);
        }

        if (_runs.Count > 0 && _runs[^1].End > end)
        {
            _runs[^1] = _runs[^1] with { Count = end - _runs[^1].First };
        }

        ReleasePages(kept);
        return new BatchStart(next, fault, MustAllocate: fault == IoFault.None && kept == 0);
    }

    /// <summary>Maps the dirty blocks of one page; false where that needs what was not prepared.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<bool> MapPageAsync(int index)
    {
        uint dirty = _dirty[index];
        if (HasBlocksInStep && !await MayAllocateAllAsync(index).ConfigureAwait(false))
        {
            return false;
        }

        for (int block = 0; block < _file.BlocksPerPage;)
        {
            if ((dirty >> block & 1) == 0)
            {
                block++;
                continue;
            }

            int count = BitOperations.TrailingZeroCount(~(dirty >> block));
            var first = new FileBlock((ulong)(((_first + index) * _file.BlocksPerPage) + block));
            if (!await MapBlocksAsync(first, (ulong)Math.Min(count, _file.BlocksPerPage - block)).ConfigureAwait(false))
            {
                return false;
            }

            block += count;
        }

        return true;
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<bool> MapBlocksAsync(FileBlock first, ulong count)
    {
        for (FileBlock end = first + count; first < end;)
        {
            if (_runs.Count > 0 && first >= _runs[^1].First && first < _runs[^1].End)
            {
                // The run that was looked up or allocated for an earlier page goes on here.
                first = _runs[^1].End;
                continue;
            }

            ulong wanted = CountConsecutive(first);
            BlockRun run = await FindAsync(first, wanted).ConfigureAwait(false);
            if (run.State == MapState.Unwritten && !_mayConvert)
            {
                return false;
            }

            if (run.State == MapState.Hole)
            {
                run = HasBlocksInStep && run.End > end ? run with { Count = end - run.First } : run;
                if (!MayAllocate(run.Count))
                {
                    return false;
                }

                run = await AllocateAsync(run).ConfigureAwait(false);
            }
            else
            {
                CancelDelayed(run);
            }

            _runs.Add(run);
            if (_isLogged)
            {
                LogRun(run);
            }

            first = run.End;
        }

        return true;
    }

    /// <summary>
    /// Whether a page may be left with some of its blocks allocated and not written: new blocks that cannot be unwritten are the file's with the next commit, with what they
    /// held before. Then of a page all blocks are allocated, and go out together, or none.
    /// </summary>
    private bool HasBlocksInStep => _file.BlocksPerPage > 1 && !Mapper.CanBeUnwritten;

    /// <summary>Whether there are credits for all that a page may have to be given, were each block to lie by itself.</summary>
    private async ValueTask<bool> MayAllocateAllAsync(int index)
    {
        int credits = 0;
        var next = new FileBlock((ulong)((_first + index) * _file.BlocksPerPage));
        for (FileBlock end = next + (ulong)_file.BlocksPerPage; next < end;)
        {
            BlockRun run = await FindAsync(next, end - next).ConfigureAwait(false);
            credits += run.State == MapState.Hole ? (int)run.Count * Mapper.CreditsToAllocate(1) : 0;
            next = run.End;
        }

        return credits == 0 || HasCredits(credits);
    }

    /// <summary>How many dirty blocks of the batch follow one another from <paramref name="first"/> on.</summary>
    private ulong CountConsecutive(FileBlock first)
    {
        int blocksPerPage = _file.BlocksPerPage;
        ulong within = first.Value - ((ulong)_first * (ulong)blocksPerPage);
        int page = (int)(within / (ulong)blocksPerPage);
        int block = (int)(within % (ulong)blocksPerPage);
        ulong count = 0;
        while (page < _count)
        {
            int run = Math.Min(BitOperations.TrailingZeroCount(~(_dirty[page] >> block)), blocksPerPage - block);
            count += (ulong)run;
            if (block + run < blocksPerPage)
            {
                break;
            }

            page++;
            block = 0;
        }

        return count;
    }

    private bool MayAllocate(ulong count) => HasCredits(Mapper.CreditsToAllocate(count));

    private bool HasCredits(int credits) =>
        _handle is not null && (_handle.CreditsLeft >= credits + _keptCredits || _handle.TryExtend(credits + _keptCredits - _handle.CreditsLeft));

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<BlockRun> AllocateAsync(BlockRun hole)
    {
        bool isDelayed = IsDelayed(hole.First);
        ulong count = 1;
        while (count < hole.Count && IsDelayed(hole.First + count) == isDelayed)
        {
            count++;
        }

        // Rule 2.17: until the data has landed the blocks read as zeros, whatever happens. Data in the log is there with the blocks.
        bool isUnwritten = Mapper.CanBeUnwritten && !_isLogged && !Scheduler.IsBroken(Rule.HoleAllocatedUnwritten);
        MapState state = isUnwritten ? MapState.Unwritten : MapState.Mapped;
        BlockRun run = await Mapper.AllocateAsync(_handle!, hole.First, count, state, isDelayed).ConfigureAwait(false);
        if (run.Count > count)
        {
            run = run with { Count = count };
        }

        if (isDelayed)
        {
            ClearDelayed(run);
        }

        return run;
    }

    /// <summary>Blocks that were delayed and turn out to be there (preallocated meanwhile) give their reservation back.</summary>
    private void CancelDelayed(in BlockRun run)
    {
        int cancelled = ClearDelayed(run);
        if (cancelled > 0)
        {
            Mapper.CancelReservation((ulong)cancelled);
        }
    }

    private bool IsDelayed(FileBlock block)
    {
        (CachePage page, int bit) = Locate(block);
        return (page.DelayedBlocks >> bit & 1) != 0;
    }

    private int ClearDelayed(in BlockRun run)
    {
        int cleared = 0;
        for (FileBlock block = run.First; block < run.End; block += 1)
        {
            (CachePage page, int bit) = Locate(block);
            if ((page.DelayedBlocks >> bit & 1) != 0)
            {
                _file.SetDelayed(page, page.DelayedBlocks & ~(1u << bit));
                cleared++;
            }
        }

        return cleared;
    }

    private (CachePage Page, int Bit) Locate(FileBlock block)
    {
        ulong within = block.Value - ((ulong)_first * (ulong)_file.BlocksPerPage);
        return (_pages[within / (ulong)_file.BlocksPerPage], (int)(within % (ulong)_file.BlocksPerPage));
    }
}

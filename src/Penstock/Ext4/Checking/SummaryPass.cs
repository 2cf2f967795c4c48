using Penstock.Ext4.Format;

namespace Penstock.Ext4.Checking;

/// <summary>Pass 5: bitmaps and counts, against what the other passes found.</summary>
internal sealed class SummaryPass(CheckRun run)
{
    private const uint GroupsAtOnce = 64;

    private long _nextBatch = -1;
    private long _freeUnits;
    private long _freeInodes;
    private long _usedDirectories;

    public ulong UsedInodes => run.Geometry.InodeCount - (ulong)Volatile.Read(ref _freeInodes);

    public ulong UsedDirectories => (ulong)Volatile.Read(ref _usedDirectories);

    public async ValueTask RunAsync()
    {
        await Workers.RunAsync(run.Scheduler, run.Parallelism, _ => CheckAsync()).ConfigureAwait(false);
        CheckTotals();
    }

    private async Task CheckAsync()
    {
        using var gather = new BlockGather(run.Store, (int)GroupsAtOnce * 2);
        var bitmaps = new GroupBitmaps(run);
        while (true)
        {
            long first = Interlocked.Increment(ref _nextBatch) * GroupsAtOnce;
            if (first >= run.Geometry.GroupCount)
            {
                return;
            }

            uint count = (uint)Math.Min(GroupsAtOnce, run.Geometry.GroupCount - first);
            await CheckBatchAsync(gather, bitmaps, (uint)first, count).ConfigureAwait(false);
        }
    }

    private async ValueTask CheckBatchAsync(BlockGather gather, GroupBitmaps bitmaps, uint first, uint count)
    {
        gather.Start();
        var places = new int[count * 2];
        for (uint i = 0; i < count; i++)
        {
            GroupDescriptor d = run.Descriptors[first + i];
            places[2 * i] = d.Is(GroupFlags.BlockUninit) || !run.Contains(d.BlockBitmap.Value) ? -1 : gather.Add(d.BlockBitmap.Value);
            bool hasNoInodes = d.Is(GroupFlags.InodeUninit) && !run.Distrusted.Contains(first + i);
            places[(2 * i) + 1] = hasNoInodes || !run.Contains(d.InodeBitmap.Value) ? -1 : gather.Add(d.InodeBitmap.Value);
        }

        await gather.ReadAsync().ConfigureAwait(false);
        for (uint i = 0; i < count; i++)
        {
            (int blocks, int inodes) = (places[2 * i], places[(2 * i) + 1]);
            uint free = bitmaps.CheckBlocks(first + i, blocks < 0 || gather.IsFailed(blocks) ? default : gather.Bytes(blocks));
            (uint freeInodes, uint directories) = bitmaps.CheckInodes(first + i, inodes < 0 || gather.IsFailed(inodes) ? default : gather.Bytes(inodes));
            Interlocked.Add(ref _freeUnits, free);
            Interlocked.Add(ref _freeInodes, freeInodes);
            Interlocked.Add(ref _usedDirectories, directories);
        }
    }

    /// <summary>The totals of the superblock are written at every unmount from those of the groups: a wrong one is a note, as it is to e2fsck.</summary>
    private void CheckTotals()
    {
        ulong free = (ulong)_freeUnits << run.Geometry.LogClusterRatio;
        if (run.Superblock.FreeBlockCount != free)
        {
            run.Log.Note("superblock", "offset 1024", $"s_free_blocks_count is {run.Superblock.FreeBlockCount}, expected {free}");
        }

        if (run.Superblock.FreeInodeCount != (ulong)_freeInodes)
        {
            run.Log.Note("superblock", "offset 1024", $"s_free_inodes_count is {run.Superblock.FreeInodeCount}, expected {_freeInodes}");
        }
    }
}

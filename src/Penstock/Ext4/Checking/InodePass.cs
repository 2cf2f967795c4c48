using Penstock.Ext4.Format;
using Penstock.Memory;

namespace Penstock.Ext4.Checking;

/// <summary>Pass 1: every inode of every table, in several activities, a group at a time.</summary>
internal sealed class InodePass(CheckRun run)
{
    private const int ChunkBytes = 1 << 20;

    private int _nextGroup = -1;
    private long _largeFiles;

    /// <summary>Files beyond 2 GiB.</summary>
    public long LargeFiles => Volatile.Read(ref _largeFiles);

    public async ValueTask RunAsync()
    {
        int count = (int)Math.Min((uint)run.Parallelism, run.Geometry.GroupCount);
        await Workers.RunAsync(run.Scheduler, count, _ => ScanAsync()).ConfigureAwait(false);
        run.Directories.Sort();
        await CheckAttributeReferencesAsync().ConfigureAwait(false);
        if (_largeFiles > 0 && !run.Has(ReadOnlyCompatFeatures.LargeFile)
            && run.Mends("superblock", "offset 1024", "there are files of 2 GiB and more, and feature large_file is not set"))
        {
            run.Superblock.MakeDynamic();
            FeatureSet features = run.Superblock.Features;
            run.Superblock.Features = features with { ReadOnlyCompat = features.ReadOnlyCompat | ReadOnlyCompatFeatures.LargeFile };
            await run.Repair!.WriteSuperblockAsync().ConfigureAwait(false);
        }
    }

    private async Task ScanAsync()
    {
        using var check = new InodeCheck(run);
        int blocks = Math.Max(1, ChunkBytes / run.BlockSize);
        using AlignedBuffer first = run.Store.Allocate(blocks);
        using AlignedBuffer second = run.Store.Allocate(blocks);
        while (true)
        {
            int group = Interlocked.Increment(ref _nextGroup);
            if (group >= run.Geometry.GroupCount || run.Repair is { IsFull: true })
            {
                break;
            }

            if (run.Repair?.IsTableLost((uint)group) is true)
            {
                continue;
            }

            uint inodes = run.InodesToScan((uint)group);
            if (inodes > 0 && run.Contains(run.Descriptors[group].InodeTable.Value, run.Geometry.InodeTableBlocks))
            {
                await ScanGroupAsync(check, (uint)group, inodes, first, second).ConfigureAwait(false);
            }
        }

        Interlocked.Add(ref _largeFiles, check.LargeFiles);
    }

    /// <summary>Reads the next part of the table while the one before is judged.</summary>
    private async ValueTask ScanGroupAsync(InodeCheck check, uint group, uint inodes, AlignedBuffer current, AlignedBuffer next)
    {
        ulong table = run.Descriptors[group].InodeTable.Value;
        uint perBlock = run.Geometry.InodesPerBlock;
        uint blocks = (inodes + perBlock - 1) / perBlock;
        uint chunk = (uint)(current.Length / run.BlockSize);
        ValueTask<bool> reading = run.Store.ReadAsync(table, (int)Math.Min(chunk, blocks), current.Segment);
        for (uint block = 0; block < blocks; block += chunk)
        {
            bool isRead = await reading.ConfigureAwait(false);
            uint following = block + chunk;
            if (following < blocks)
            {
                reading = run.Store.ReadAsync(table + following, (int)Math.Min(chunk, blocks - following), next.Segment);
            }

            try
            {
                if (!isRead)
                {
                    run.Log.Problem("inode table", $"group {group}, block {table + block}", "it cannot be read");
                }

                uint begin = block * perBlock;
                await ScanChunkAsync(check, (group * run.Geometry.InodesPerGroup) + begin + 1, Math.Min(chunk * perBlock, inodes - begin), current)
                    .ConfigureAwait(false);
            }
            catch
            {
                await FinishAsync(following < blocks, reading).ConfigureAwait(false);
                throw;
            }

            (current, next) = (next, current);
        }
    }

    private static async ValueTask FinishAsync(bool isReading, ValueTask<bool> reading)
    {
        if (isReading)
        {
            await reading.ConfigureAwait(false);
        }
    }

    private async ValueTask ScanChunkAsync(InodeCheck check, uint number, uint count, AlignedBuffer bytes)
    {
        int size = run.Geometry.InodeSize;
        for (uint i = 0; i < count; i++)
        {
            if (!bytes.GetSpan().Slice((int)i * size, size).ContainsAnyExcept((byte)0))
            {
                if (number + i < run.Geometry.FirstInode)
                {
                    check.Missing(number + i);
                }

                continue;
            }

            await check.RunAsync(number + i, bytes.Memory.Slice((int)i * size, size)).ConfigureAwait(false);
        }
    }

    private async ValueTask CheckAttributeReferencesAsync()
    {
        foreach ((ulong block, AttributeReferences.BlockCount count) in run.Attributes.Blocks)
        {
            if (count.IsBad || count.Stored == count.Seen
                || !run.Mends("attribute block", $"block {block}", $"h_refcount is {count.Stored}, expected {count.Seen}"))
            {
                continue;
            }

            using AlignedBuffer buffer = run.Store.Allocate(1);
            if (await run.Store.ReadAsync(block, 1, buffer.Segment).ConfigureAwait(false))
            {
                await AttributeCheck.WriteBlockAsync(run, buffer, block, (uint)count.Seen).ConfigureAwait(false);
            }
        }
    }
}

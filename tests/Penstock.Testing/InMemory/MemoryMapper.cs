using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Testing.InMemory;

/// <summary>The mapping of one file, block by block, in memory. Records every allocation.</summary>
internal sealed class MemoryMapper(MemoryFileSystem fileSystem, bool canBeUnwritten) : BlockMapper
{
    private readonly object _latch = new();
    private readonly SortedDictionary<ulong, (ulong Volume, MapState State)> _blocks = [];

    /// <summary>Every allocation: where in the file, and as what.</summary>
    public List<(FileBlock First, ulong Count, MapState State)> Allocations { get; } = [];

    /// <summary>Every conversion.</summary>
    public List<(FileBlock First, ulong Count)> Conversions { get; } = [];

    /// <summary>Makes <see cref="TryMap"/> fail, as a mapping that is not cached does.</summary>
    public bool NeedsWaiting { get; set; }

    /// <summary>Asked before each look-up that waits and each allocation: a fault to throw, or none.</summary>
    public Func<string, IoFault>? FaultRule { get; set; }

    public override int BlockSize => fileSystem.BlockSize;

    public override bool CanBeUnwritten => canBeUnwritten;

    public override ulong MaxBlocks => 1UL << 32;

    public int BlockCount
    {
        get
        {
            lock (_latch)
            {
                return _blocks.Count;
            }
        }
    }

    public override bool TryMap(FileBlock first, ulong maxCount, out BlockRun run)
    {
        run = NeedsWaiting ? default : Find(first, maxCount);
        return !NeedsWaiting;
    }

    public override async ValueTask<BlockRun> MapAsync(FileBlock first, ulong maxCount)
    {
        await fileSystem.Scheduler.Yield();
        ThrowIfFaulty("map");
        return Find(first, maxCount);
    }

    public override int CreditsToAllocate(ulong count) => 1;

    public override async ValueTask<BlockRun> AllocateAsync(Handle handle, FileBlock first, ulong count, MapState state, bool fromReservation)
    {
        await fileSystem.Scheduler.Yield();
        ThrowIfFaulty("allocate");
        lock (_latch)
        {
            BlockRun existing = Find(first, count);
            if (existing.State != MapState.Hole)
            {
                return existing;
            }

            count = Math.Min(count, existing.Count);
            (ulong volume, ulong got) = fileSystem.Allocate(count, fromReservation);
            for (ulong i = 0; i < got; i++)
            {
                _blocks[first.Value + i] = (volume + i, state);
            }

            Allocations.Add((first, got, state));
            return new BlockRun(first, new VolumeBlock(volume), got, state);
        }
    }

    public override int CreditsToConvert(ulong count) => 1;

    public override async ValueTask ConvertAsync(Handle handle, FileBlock first, ulong count)
    {
        await fileSystem.Scheduler.Yield();
        ThrowIfFaulty("convert");
        lock (_latch)
        {
            Conversions.Add((first, count));
            for (ulong i = first.Value; i < first.Value + count; i++)
            {
                if (_blocks.TryGetValue(i, out (ulong Volume, MapState State) block))
                {
                    _blocks[i] = (block.Volume, MapState.Mapped);
                }
            }
        }
    }

    public override IoFault TryReserve(ulong count) => fileSystem.TryReserve(count) ? IoFault.None : IoFault.NoSpace;

    public override void CancelReservation(ulong count) => fileSystem.CancelReservation(count);

    /// <summary>Removes the blocks of a range from the mapping; the caller frees them.</summary>
    public List<ulong> Remove(ulong first, ulong end)
    {
        lock (_latch)
        {
            ulong[] keys = [.. _blocks.Keys.Where(k => k >= first && k < end)];
            List<ulong> volumes = [.. keys.Select(k => _blocks[k].Volume)];
            foreach (ulong key in keys)
            {
                _blocks.Remove(key);
            }

            return volumes;
        }
    }

    /// <summary>Moves everything from <paramref name="from"/> on by <paramref name="delta"/> blocks.</summary>
    public void Shift(ulong from, long delta)
    {
        lock (_latch)
        {
            KeyValuePair<ulong, (ulong Volume, MapState State)>[] moved = [.. _blocks.Where(b => b.Key >= from)];
            foreach (KeyValuePair<ulong, (ulong Volume, MapState State)> block in moved)
            {
                _blocks.Remove(block.Key);
            }

            foreach (KeyValuePair<ulong, (ulong Volume, MapState State)> block in moved)
            {
                _blocks[(ulong)((long)block.Key + delta)] = block.Value;
            }
        }
    }

    /// <summary>Turns the allocated blocks of a range unwritten.</summary>
    public void MarkUnwritten(ulong first, ulong end)
    {
        lock (_latch)
        {
            foreach (ulong key in _blocks.Keys.Where(k => k >= first && k < end).ToArray())
            {
                _blocks[key] = (_blocks[key].Volume, MapState.Unwritten);
            }
        }
    }

    private BlockRun Find(FileBlock first, ulong maxCount)
    {
        lock (_latch)
        {
            bool isThere = _blocks.TryGetValue(first.Value, out (ulong Volume, MapState State) start);
            if (!isThere)
            {
                // A hole may be as long as the largest file: to the next block, not block by block.
                ulong next = _blocks.Keys.FirstOrDefault(k => k > first.Value, ulong.MaxValue);
                return BlockRun.Hole(first, Math.Min(maxCount, next - first.Value));
            }

            ulong count = 1;
            while (count < maxCount)
            {
                bool isNextThere = _blocks.TryGetValue(first.Value + count, out (ulong Volume, MapState State) next);
                if (!isNextThere || next.Volume != start.Volume + count || next.State != start.State)
                {
                    break;
                }

                count++;
            }

            return new BlockRun(first, new VolumeBlock(start.Volume), count, start.State);
        }
    }

    private void ThrowIfFaulty(string what)
    {
        IoFault fault = FaultRule?.Invoke(what) ?? IoFault.None;
        if (fault != IoFault.None)
        {
            throw new FileSystemException(fault, $"{what} was made to fail");
        }
    }
}

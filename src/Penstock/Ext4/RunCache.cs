using Penstock.Mapping;

namespace Penstock.Ext4;

/// <summary>
/// The runs of one file that were looked up, in order and joined where they touch, so that a look-up that was made before needs neither the tree
/// nor a lock. Bounded. Its own latch; any thread.
/// </summary>
internal sealed class RunCache
{
    /// <summary>16 bytes each: 8 KiB for a badly fragmented file.</summary>
    private const int Capacity = 512;

    private readonly object _latch = new();
    private Run[] _runs = [];
    private int _count;

    /// <summary>The cached run at <paramref name="first"/>, at most <paramref name="maxCount"/> blocks of it. Allocates nothing.</summary>
    public bool TryFind(FileBlock first, ulong maxCount, out BlockRun run)
    {
        lock (_latch)
        {
            int index = FindLast(first.Value);
            if (index >= 0 && first.Value < _runs[index].End)
            {
                run = _runs[index].ToRun().From(first, maxCount);
                return true;
            }

            run = default;
            return false;
        }
    }

    /// <summary>Records a run, in place of whatever was known of its blocks.</summary>
    public void Put(BlockRun run)
    {
        lock (_latch)
        {
            Cut(run.First.Value, run.End.Value);
            if (_count + 1 >= Capacity)
            {
                DropHalf(run.First.Value);
            }

            int index = FindLast(run.First.Value) + 1;
            var added = Run.From(run);
            if (index > 0 && _runs[index - 1].TryJoin(added, out Run joined))
            {
                added = joined;
                RemoveAt(--index, 1);
            }

            if (index < _count && added.TryJoin(_runs[index], out joined))
            {
                added = joined;
                RemoveAt(index, 1);
            }

            InsertAt(index, added);
        }
    }

    /// <summary>Forgets what is known of a range.</summary>
    public void Drop(FileBlock first, ulong count)
    {
        lock (_latch)
        {
            Cut(first.Value, count > ulong.MaxValue - first.Value ? ulong.MaxValue : first.Value + count);
        }
    }

    public void Clear()
    {
        lock (_latch)
        {
            _count = 0;
        }
    }

    /// <summary>Removes [from, to) from every run; a run around it becomes two.</summary>
    private void Cut(ulong from, ulong to)
    {
        int index = Math.Max(FindLast(from), 0);
        while (index < _count && _runs[index].First < to)
        {
            Run old = _runs[index];
            if (old.End <= from)
            {
                index++;
                continue;
            }

            RemoveAt(index, 1);
            if (old.First < from)
            {
                InsertAt(index++, old.Part(old.First, from));
            }

            if (old.End > to)
            {
                InsertAt(index++, old.Part(to, old.End));
            }
        }
    }

    /// <summary>Makes room: the half that the block is not in goes.</summary>
    private void DropHalf(ulong block)
    {
        int half = _count / 2;
        if (FindLast(block) >= half)
        {
            RemoveAt(0, half);
        }
        else
        {
            _count = half;
        }
    }

    private int FindLast(ulong first)
    {
        int low = 0;
        int high = _count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_runs[middle].First <= first)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }

    private void InsertAt(int index, Run run)
    {
        if (_count == _runs.Length)
        {
            Array.Resize(ref _runs, Math.Max(4, _runs.Length * 2));
        }

        Array.Copy(_runs, index, _runs, index + 1, _count - index);
        _runs[index] = run;
        _count++;
    }

    private void RemoveAt(int index, int count)
    {
        _count -= count;
        Array.Copy(_runs, index + count, _runs, index, _count - index);
    }

    /// <summary>A run in 16 bytes: blocks of a file are numbered with 32 bits, and volume blocks leave the top two free for the state.</summary>
    private readonly record struct Run(uint First, uint Count, ulong Where)
    {
        private const int StateShift = 62;
        private const ulong BlockMask = (1UL << StateShift) - 1;

        public ulong End => (ulong)First + Count;

        private MapState State => (MapState)(Where >> StateShift);

        public static Run From(BlockRun run) => new(
            checked((uint)run.First.Value),
            checked((uint)run.Count),
            (run.IsAllocated ? run.Volume.Value : 0) | ((ulong)run.State << StateShift));

        public BlockRun ToRun() => new(new FileBlock(First), new VolumeBlock(Where & BlockMask), Count, State);

        public Run Part(ulong from, ulong to)
        {
            ulong skip = State == MapState.Hole ? 0 : from - First;
            return new Run((uint)from, (uint)(to - from), Where + skip);
        }

        public bool TryJoin(Run next, out Run joined)
        {
            bool isAdjacent = End == next.First && State == next.State && (State == MapState.Hole || Where + Count == next.Where);
            joined = isAdjacent ? this with { Count = Count + next.Count } : default;
            return isAdjacent;
        }
    }
}

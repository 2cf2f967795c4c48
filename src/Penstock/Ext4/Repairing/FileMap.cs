using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Repairing;

/// <summary>A run of a file's blocks.</summary>
internal readonly record struct MapRun(ulong File, ulong Volume, ulong Count, bool IsUnwritten)
{
    public ulong End => File + Count;
}

/// <summary>
/// The whole block map of one inode in memory: its runs, in the order of the file, and the blocks of the map itself. It is changed here, and then
/// written anew as the smallest tree that holds it, in the blocks that the old one had.
/// </summary>
internal sealed class FileMap(CheckRun run, Repair repair, uint number)
{
    /// <summary>A file in more pieces is not touched: memory is bounded.</summary>
    public const int MaxRuns = 1 << 21;

    private readonly Queue<ulong> _nodes = [];

    public List<MapRun> Runs { get; private set; } = [];

    /// <summary>Blocks of the map, as it was read.</summary>
    public List<ulong> MapBlocks { get; private set; } = [];

    /// <summary>Whether a part was left out whose map lies on the volume's own structures.</summary>
    public bool HasDropped { get; private set; }

    /// <summary>Takes a map that a walk has just collected.</summary>
    public void Take(List<MapRun> runs, List<ulong> mapBlocks) => (Runs, MapBlocks) = (runs, mapBlocks);

    /// <summary>Reads what of the inode's map is sound; claims nothing.</summary>
    /// <returns>False if it is too large to be held.</returns>
    public async ValueTask<bool> LoadAsync(InodeRecord inode)
    {
        var tally = new ContentTally(run) { IsSilent = true };
        tally.Start();
        (tally.Runs, tally.MapBlocks) = ([], []);
        if (inode.Is(InodeFlags.Extents))
        {
            using var walk = new ExtentWalk(run, tally);
            await walk.RunAsync(inode, number).ConfigureAwait(false);
        }
        else
        {
            using var walk = new IndirectWalk(run, tally);
            await walk.RunAsync(inode, number).ConfigureAwait(false);
        }

        (Runs, MapBlocks, HasDropped) = (tally.Runs, tally.MapBlocks, tally.HasDropped);
        return Runs.Count < MaxRuns;
    }

    /// <summary>Drops all blocks of the file from one on.</summary>
    /// <returns>Whether there were any.</returns>
    public bool CutFrom(ulong end)
    {
        bool isCut = Runs.Count > 0 && Runs[^1].End > end;
        Runs = [.. Runs.Where(r => r.File < end).Select(r => r with { Count = Math.Min(r.Count, end - r.File) })];
        return isCut;
    }

    /// <summary>Writes the map: the root into the inode, whose i_blocks is set too, the rest to its blocks. The inode itself is not written.</summary>
    /// <param name="inode">The inode.</param>
    /// <param name="otherClusters">Clusters of attributes, which i_blocks counts as well.</param>
    /// <returns>False if a block is needed for the map, and there is none.</returns>
    public async ValueTask<bool> StoreAsync(InodeRecord inode, ulong otherClusters)
    {
        _nodes.Clear();
        foreach (ulong block in MapBlocks)
        {
            _nodes.Enqueue(block);
        }

        int before = _nodes.Count;
        bool isStored = inode.Is(InodeFlags.Extents) ? await StoreExtentsAsync(inode).ConfigureAwait(false) : await StoreIndirectAsync(inode).ConfigureAwait(false);
        if (!isStored)
        {
            return false;
        }

        MapBlocks = [.. MapBlocks.Take(before - _nodes.Count)];
        ulong clusters = CountClusters() + (ulong)MapBlocks.Count + otherClusters;
        inode.TrySetAllocatedBytes(
            clusters * (ulong)run.Geometry.ClusterRatio * (ulong)run.BlockSize, run.BlockSize, run.Has(ReadOnlyCompatFeatures.HugeFile));
        return true;
    }

    private ulong CountClusters()
    {
        ulong sum = 0;
        ulong last = ulong.MaxValue;
        foreach (MapRun r in Runs)
        {
            ulong first = run.UnitOf(r.Volume);
            ulong end = run.UnitOf(r.Volume + r.Count - 1);
            sum += end - first + (first == last ? 0u : 1u);
            last = end;
        }

        return sum;
    }

    private bool TryTakeNode(out ulong block)
    {
        if (_nodes.TryDequeue(out block))
        {
            return true;
        }

        if (repair.TakeCluster(0) is not { } taken)
        {
            return false;
        }

        MapBlocks.Add(block = taken);
        return true;
    }

    private async ValueTask<bool> StoreExtentsAsync(InodeRecord inode)
    {
        List<ExtentLeaf> leaves = Split();
        int capacity = ExtentHeader.CapacityOf(run.BlockSize);
        inode.BlockField.Clear();
        if (leaves.Count <= ExtentHeader.RootCapacity)
        {
            WriteLeaves(inode.BlockField, leaves, 0, leaves.Count, ExtentHeader.RootCapacity);
            return true;
        }

        var level = new List<ExtentIndex>();
        byte[] block = new byte[run.BlockSize];
        for (int first = 0; first < leaves.Count; first += capacity)
        {
            block.AsSpan().Clear();
            WriteLeaves(block, leaves, first, Math.Min(capacity, leaves.Count - first), capacity);
            if (!await AddNodeAsync(inode, block, leaves[first].First, level).ConfigureAwait(false))
            {
                return false;
            }
        }

        ushort depth = 1;
        for (; level.Count > ExtentHeader.RootCapacity; depth++)
        {
            var above = new List<ExtentIndex>();
            for (int first = 0; first < level.Count; first += capacity)
            {
                block.AsSpan().Clear();
                WriteIndexes(block, level, first, Math.Min(capacity, level.Count - first), capacity, depth);
                if (!await AddNodeAsync(inode, block, level[first].First, above).ConfigureAwait(false))
                {
                    return false;
                }
            }

            level = above;
        }

        WriteIndexes(inode.BlockField, level, 0, level.Count, ExtentHeader.RootCapacity, depth);
        return true;
    }

    private async ValueTask<bool> AddNodeAsync(InodeRecord inode, byte[] block, uint first, List<ExtentIndex> level)
    {
        if (!TryTakeNode(out ulong place))
        {
            return false;
        }

        if (run.Checksum.IsUsed)
        {
            ExtentTail.Write(block, run.Checksum.SeedOf(new InodeNumber(number), inode.Generation));
        }

        level.Add(new ExtentIndex(first, new VolumeBlock(place)));
        await repair.WriteAsync(place, block).ConfigureAwait(false);
        return true;
    }

    private List<ExtentLeaf> Split()
    {
        var leaves = new List<ExtentLeaf>();
        foreach (MapRun r in Runs)
        {
            uint most = r.IsUnwritten ? ExtentLeaf.MaxUnwrittenLength : (uint)ExtentLeaf.MaxWrittenLength;
            for (ulong done = 0; done < r.Count;)
            {
                ulong length = Math.Min(most, r.Count - done);
                var next = new ExtentLeaf((uint)(r.File + done), (ushort)length, r.IsUnwritten, new VolumeBlock(r.Volume + done));
                if (leaves.Count > 0 && leaves[^1] is var last && last.IsUnwritten == next.IsUnwritten && last.End == next.First
                    && last.Start.Value + last.Length == next.Start.Value && (uint)last.Length + next.Length <= most)
                {
                    leaves[^1] = last with { Length = (ushort)(last.Length + next.Length) };
                }
                else
                {
                    leaves.Add(next);
                }

                done += length;
            }
        }

        return leaves;
    }

    private static void WriteLeaves(Span<byte> node, List<ExtentLeaf> leaves, int first, int count, int capacity)
    {
        new ExtentHeader((ushort)count, (ushort)capacity, 0).WriteTo(node);
        for (int i = 0; i < count; i++)
        {
            leaves[first + i].WriteTo(node, i);
        }
    }

    private static void WriteIndexes(Span<byte> node, List<ExtentIndex> indexes, int first, int count, int capacity, ushort depth)
    {
        new ExtentHeader((ushort)count, (ushort)capacity, depth).WriteTo(node);
        for (int i = 0; i < count; i++)
        {
            indexes[first + i].WriteTo(node, i);
        }
    }

    private async ValueTask<bool> StoreIndirectAsync(InodeRecord inode)
    {
        byte[] root = new byte[InodeRecord.BlockFieldSize];
        int next = 0;
        for (uint slot = 0; slot < IndirectMap.SlotCount; slot++)
        {
            int level = Math.Max(0, (int)slot - IndirectMap.DirectCount + 1);
            (FileBlock first, ulong span) = level == 0 ? (new FileBlock(slot), 1UL) : IndirectMap.RangeOf((int)slot, run.BlockSize);
            (uint? pointer, next) = await StoreTreeAsync(level, first.Value, span, next).ConfigureAwait(false);
            if (pointer is null)
            {
                return false;
            }

            U32(root, (int)slot * 4, pointer.Value);
        }

        root.CopyTo(inode.BlockField);
        return true;
    }

    /// <summary>Writes the part of the map for a range of the file; 0 if nothing lies in it, null if there is no block for it.</summary>
    private async ValueTask<(uint? Pointer, int Next)> StoreTreeAsync(int level, ulong first, ulong span, int next)
    {
        while (next < Runs.Count && Runs[next].End <= first)
        {
            next++;
        }

        if (next == Runs.Count || Runs[next].File >= first + span)
        {
            return (0, next);
        }

        if (level == 0)
        {
            return ((uint)(Runs[next].Volume + first - Runs[next].File), next);
        }

        if (!TryTakeNode(out ulong place))
        {
            return (null, next);
        }

        byte[] block = new byte[run.BlockSize];
        ulong below = span / (ulong)(run.BlockSize / 4);
        for (int i = 0; i < run.BlockSize / 4; i++)
        {
            (uint? pointer, next) = await StoreTreeAsync(level - 1, first + ((uint)i * below), below, next).ConfigureAwait(false);
            if (pointer is null)
            {
                return (null, next);
            }

            U32(block, i * 4, pointer.Value);
        }

        await repair.WriteAsync(place, block).ConfigureAwait(false);
        return ((uint)place, next);
    }
}

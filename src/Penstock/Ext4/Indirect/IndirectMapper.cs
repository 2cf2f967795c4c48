using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Indirect;

/// <summary>The block mapper of a file with a block map: ext2, ext3, and ext4 files without extents.</summary>
internal sealed class IndirectMapper : Ext4BlockMapper
{
    private readonly IndirectTree _tree;
    private readonly IndirectRemoval _removal;
    private readonly FileGoal _goal;

    public IndirectMapper(Ext4Volume volume, IBlockMapOwner owner)
        : base(volume, owner)
    {
        _tree = new IndirectTree(volume, owner);
        _removal = new IndirectRemoval(_tree);
        _goal = new FileGoal(volume, owner);
        MaxBlocks = IndirectMap.Capacity(volume.Geometry.BlockSize);
    }

    public override bool CanBeUnwritten => false;

    public override ulong MaxBlocks { get; }

    public override bool TryMap(FileBlock first, ulong maxCount, out BlockRun run)
    {
        if (first.Value >= MaxBlocks)
        {
            run = BlockRun.Hole(first, maxCount);
            return true;
        }

        return Cache.TryFind(first, maxCount, out run);
    }

    public override async ValueTask<BlockRun> MapAsync(FileBlock first, ulong maxCount)
    {
        if (TryMap(first, maxCount, out BlockRun cached))
        {
            return cached;
        }

        await Lock.AcquireSharedAsync().ConfigureAwait(false);
        try
        {
            IndirectWalk walk = await _tree.WalkAsync(first.Value).ConfigureAwait(false);
            try
            {
                BlockRun run = _tree.RunAt(walk, MaxBlocks - first.Value);
                Cache.Put(run);
                return run.From(first, maxCount);
            }
            finally
            {
                walk.Release();
            }
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
        finally
        {
            Lock.ReleaseShared();
        }
    }

    /// <summary>The indirect blocks on the way, groups for those and for the data, the inode.</summary>
    public override int CreditsToAllocate(ulong count) =>
        IndirectMap.MaxLevels + ((IndirectMap.MaxLevels + 1) * BlockAllocator.CreditsPerGroup) + 1;

    public override async ValueTask<BlockRun> AllocateAsync(Handle handle, FileBlock first, ulong count, MapState state, bool fromReservation)
    {
        ArgumentOutOfRangeException.ThrowIfZero(count);
        if (state != MapState.Mapped)
        {
            throw new ArgumentException("A block map has no unwritten blocks.", nameof(state));
        }

        if (Volume.Geometry.ClusterRatio > 1)
        {
            throw new FileSystemException(IoFault.NotSupported, $"{Owner.Number}: a block map cannot grow on a volume with clusters");
        }

        await Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        IndirectWalk? walk = null;
        try
        {
            walk = await _tree.WalkAsync(first.Value).ConfigureAwait(false);
            BlockRun run = _tree.RunAt(walk, count);
            if (!run.IsAllocated)
            {
                run = await FillHoleAsync(handle, walk, HoleInLeaf(walk, run), fromReservation).ConfigureAwait(false);
            }

            Cache.Put(run);
            return run;
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NoSpace)
        {
            throw NoSpace();
        }
        catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
        {
            throw;
        }
        finally
        {
            walk?.Release();
            Lock.ReleaseExclusive();
        }
    }

    public override int CreditsToConvert(ulong count) => 0;

    /// <summary>Nothing is unwritten, so nothing is to be done.</summary>
    public override ValueTask ConvertAsync(Handle handle, FileBlock first, ulong count) => ValueTask.CompletedTask;

    public override ValueTask RemoveAsync(FileBlock first, ulong count)
    {
        if (Volume.Geometry.ClusterRatio > 1)
        {
            throw new FileSystemException(IoFault.NotSupported, $"{Owner.Number}: a block map cannot be changed on a volume with clusters");
        }

        return StepBackAsync(first, count, _removal.StepCredits, (handle, from, to) => _removal.RemoveLastAsync(handle, from, to));
    }

    public override ValueTask ZeroAsync(FileBlock first, ulong count) => RemoveAsync(first, count);

    public override ValueTask CollapseAsync(FileBlock first, ulong count) => throw NotSupported();

    public override ValueTask InsertAsync(FileBlock first, ulong count) => throw NotSupported();

    public override void ReleaseWindow() => BlockAllocator.ReleaseWindow(_goal.Window);

    /// <summary>
    /// Each block may need an indirect block of its own, and one above that; of those there are few, and of the third level there is one.
    /// </summary>
    protected override ulong EstimateNodes(ulong blocks) =>
        blocks == 0 ? 0 : blocks + Math.Min(blocks, IndirectMap.PointersPerBlock(BlockSize) + 1UL) + 1;

    private FileSystemException NotSupported() =>
        new(IoFault.NotSupported, $"{Owner.Number}: ranges cannot be moved in a file with a block map");

    /// <summary>The part of a hole whose pointers lie together, in a leaf that may yet have to be made.</summary>
    private BlockRun HoleInLeaf(IndirectWalk walk, BlockRun hole)
    {
        int levels = walk.Path.Levels;
        uint room = levels == 0 ? IndirectMap.DirectCount - walk.Path.Slot : _tree.PointersPerBlock - walk.Path[levels - 1];
        return hole with { Count = Math.Min(hole.Count, room) };
    }

    private async ValueTask<BlockRun> FillHoleAsync(Handle handle, IndirectWalk walk, BlockRun hole, bool fromReservation)
    {
        ulong begun = fromReservation ? Reservation.Begin(hole.Count) : 0;
        ulong mapped = 0;
        BlockSpan data = default;
        List<BlockSpan> nodes = [];
        try
        {
            SpaceUse use = begun > 0 ? SpaceUse.Reserved : SpaceUse.Ordinary;
            var space = new NodeSpace(begun > 0 ? Reservation : null, begun > 0 ? SpaceUse.Essential : SpaceUse.Ordinary);
            ulong wanted = begun > 0 ? begun : hole.Count;
            (VolumeBlock goal, bool isContinuation) = GoalFor(walk);
            AllocationRequest request = _goal.Shape(hole.First.Value, wanted, wanted, goal, isContinuation, use) with
            {
                HighestBlock = IndirectMap.MaxVolumeBlock,
            };
            await TakeNodesAsync(handle, walk, request, space, nodes).ConfigureAwait(false);
            if (nodes.Count > 0)
            {
                // The data follows its indirect block.
                request = request with { Goal = nodes[^1].End, IsContinuation = true };
            }

            data = await Volume.Blocks.AllocateAsync(handle, request).ConfigureAwait(false);
            Link(handle, walk, nodes, data);
            mapped = begun > 0 ? data.Count : 0;
        }
        catch when (data.Count == 0)
        {
            foreach (BlockSpan node in nodes)
            {
                await Volume.Blocks.FreeAsync(handle, node.First, 1).ConfigureAwait(false);
            }

            throw;
        }
        finally
        {
            if (begun > 0)
            {
                Reservation.End(begun, mapped, mapped);
            }
        }

        Owner.AddSectors(((long)data.Count + nodes.Count) << (Volume.Geometry.LogBlockSize - 9));
        await Owner.StoreAsync(handle).ConfigureAwait(false);
        return new BlockRun(hole.First, data.First, data.Count, MapState.Mapped);
    }

    private async ValueTask TakeNodesAsync(
        Handle handle, IndirectWalk walk, AllocationRequest request, NodeSpace space, List<BlockSpan> nodes)
    {
        AllocationRequest next = request with { Clusters = 1, Window = null, WindowClusters = 0 };
        for (int level = walk.Found; level < walk.Path.Levels; level++)
        {
            nodes.Add(await space.TakeAsync(Volume.Blocks, handle, next).ConfigureAwait(false));
            next = next with { Goal = nodes[^1].End, IsContinuation = true };
        }
    }

    /// <summary>Fills the new indirect blocks, the deepest first, and hangs the chain in at last.</summary>
    private void Link(Handle handle, IndirectWalk walk, List<BlockSpan> nodes, BlockSpan data)
    {
        uint pointer = (uint)data.First.Value;
        uint count = (uint)data.Count;
        int levels = walk.Path.Levels;
        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            MetadataBlock node = Volume.Cache.GetNew(nodes[i].First);
            using (BlockEdit edit = handle.Edit(node))
            {
                IndirectTree.Write(edit.Bytes, walk.Path[walk.Found + i], count, pointer);
            }

            node.Unpin();
            (pointer, count) = ((uint)nodes[i].First.Value, 1);
        }

        uint index = walk.Found == 0 ? walk.Path.Slot : walk.Path[walk.Found - 1];
        _tree.SetPointers(handle, walk, Math.Min(walk.Found, levels), index, count, pointer);
    }

    private (VolumeBlock Goal, bool IsContinuation) GoalFor(IndirectWalk walk)
    {
        if (walk.IsComplete)
        {
            (ReadOnlySpan<byte> pointers, uint index, _, VolumeBlock node) = _tree.LeafOf(walk);
            for (uint back = 1; back <= index; back++)
            {
                if (IndirectMap.ReadPointer(pointers, index - back) is var before and not 0)
                {
                    return (new VolumeBlock((ulong)before + back), true);
                }
            }

            return node.Value != 0 ? (node + 1 + index, true) : default;
        }

        // A new indirect block continues what lies before it in the file, if that was looked up.
        bool isKnown = walk.Block > 0 & Cache.TryFind(new FileBlock(Math.Max(walk.Block, 1) - 1), 1, out BlockRun last);
        return isKnown && last.IsAllocated ? (last.Volume + 1, true) : default;
    }
}

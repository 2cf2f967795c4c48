using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Extents;

/// <summary>The block mapper of a file with an extent tree.</summary>
internal sealed class ExtentMapper : Ext4BlockMapper
{
    /// <summary>Entries of a leaf that a look-up puts into the cache, from the one looked for on.</summary>
    private const int MaxCachedAhead = 64;

    private readonly ExtentTree _tree;
    private readonly ExtentSplice _splice;
    private readonly ExtentRemoval _removal;
    private readonly ExtentShift _shift;
    private readonly ExtentPlacement _placement;

    public ExtentMapper(Ext4Volume volume, IBlockMapOwner owner)
        : base(volume, owner)
    {
        _tree = new ExtentTree(volume, owner);
        _splice = new ExtentSplice(_tree);
        _removal = new ExtentRemoval(_tree, _splice);
        _shift = new ExtentShift(_tree, _splice);
        _placement = new ExtentPlacement(_tree);
    }

    public override bool CanBeUnwritten => true;

    public override ulong MaxBlocks => ExtentLeaf.MaxFileBlock;

    /// <summary>Writes i_block of a new, empty file.</summary>
    public static void Initialise(Span<byte> blockField) => ExtentTree.WriteEmptyRoot(blockField);

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
            ExtentPath path = await _tree.DescendAsync(first.Value, forChange: false).ConfigureAwait(false);
            try
            {
                BlockRun run = _tree.RunAt(path, first.Value);
                Remember(path, run);
                return Cache.TryFind(first, maxCount, out cached) ? cached : run.From(first, maxCount);
            }
            finally
            {
                path.Release();
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

    public override int CreditsToAllocate(ulong count) => _splice.Credits + BlockAllocator.CreditsPerGroup;

    public override async ValueTask<BlockRun> AllocateAsync(Handle handle, FileBlock first, ulong count, MapState state, bool fromReservation)
    {
        ArgumentOutOfRangeException.ThrowIfZero(count);
        if (first.Value >= MaxBlocks)
        {
            throw new FileSystemException(IoFault.FileTooLarge, $"{Owner.Number}: {first} is beyond what its extents can map");
        }

        await Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        ExtentPath? path = null;
        try
        {
            path = await _tree.DescendAsync(first.Value, forChange: true).ConfigureAwait(false);
            BlockRun there = _tree.RunAt(path, first.Value);
            if (there.IsAllocated)
            {
                Cache.Put(there);
                return there.From(first, count);
            }

            bool isUnwritten = state == MapState.Unwritten;
            ulong most = Math.Min(Math.Min(count, there.Count), Math.Min(ExtentPieces.LimitOf(isUnwritten), MaxBlocks - first.Value));
            BlockRun run = await FillHoleAsync(handle, path, new FileBlock(first.Value), most, state, fromReservation).ConfigureAwait(false);
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
            path?.Release();
            Lock.ReleaseExclusive();
        }
    }

    /// <summary>The two ends of the range may split an extent each; between them whole extents turn in place, some leaf after leaf.</summary>
    public override int CreditsToConvert(ulong count) => (2 * _splice.Credits) + (int)Math.Min(count, 8);

    public override async ValueTask ConvertAsync(Handle handle, FileBlock first, ulong count)
    {
        ulong end = Math.Min(first.Value + count, MaxBlocks);
        ulong next = first.Value;
        while (next < end)
        {
            bool needsRestart = false;
            await Lock.AcquireExclusiveAsync().ConfigureAwait(false);
            try
            {
                while (next < end && !needsRestart)
                {
                    needsRestart = handle.CreditsLeft < _splice.Credits && !handle.TryExtend(_splice.Credits);
                    next = needsRestart ? next : await TurnAsync(handle, next, end, toUnwritten: false).ConfigureAwait(false);
                }
            }
            catch (CorruptVolumeException e) when (Volume.MeetsDamage(e))
            {
                throw;
            }
            finally
            {
                Lock.ReleaseExclusive();
            }

            if (needsRestart)
            {
                await handle.RestartAsync(_splice.Credits).ConfigureAwait(false);
            }
        }
    }

    public override ValueTask RemoveAsync(FileBlock first, ulong count) =>
        StepBackAsync(first, count, _removal.StepCredits, (handle, from, to) => _removal.RemoveLastAsync(handle, from, to));

    public override ValueTask ZeroAsync(FileBlock first, ulong count) =>
        StepBackAsync(first, count, _splice.Credits, (handle, from, to) => _removal.MarkLastUnwrittenAsync(handle, from, to));

    public override async ValueTask CollapseAsync(FileBlock first, ulong count)
    {
        RequireWholeClusters(first, count);
        await RemoveAsync(first, count).ConfigureAwait(false);
        await ShiftAsync(handle => _shift.MoveDownAsync(handle, first.Value + count, count)).ConfigureAwait(false);
    }

    public override async ValueTask InsertAsync(FileBlock first, ulong count)
    {
        RequireWholeClusters(first, count);
        await ShiftAsync(handle => _shift.MoveUpAsync(handle, first.Value, count, MaxBlocks)).ConfigureAwait(false);
    }

    /// <summary>
    /// Fills a hole with blocks that are known and in use already, for a recovery that is told where a file lies: <see cref="CreditsToAllocate"/>.
    /// </summary>
    /// <param name="handle">The handle; the inode is stored in it.</param>
    /// <param name="run">What is to be mapped; there is nothing yet.</param>
    public async ValueTask PutAsync(Handle handle, BlockRun run)
    {
        await Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            ulong clusters = await CountNewClustersAsync(run).ConfigureAwait(false);
            ExtentPath path = await _tree.DescendAsync(run.First.Value, forChange: true).ConfigureAwait(false);
            try
            {
                var pieces = default(ExtentPieces);
                pieces.Add(run.First.Value, run.Count, run.State == MapState.Unwritten, run.Volume);
                Cache.Drop(run.First, run.Count);
                Owner.AddSectors((long)clusters << (Volume.Geometry.LogClusterRatio + Volume.Geometry.LogBlockSize - 9));
                await _splice.ApplyAsync(handle, path, path.LeafIndex + 1, removed: 0, pieces, NodeSpace.Essential).ConfigureAwait(false);
            }
            finally
            {
                path.Release();
            }
        }
        finally
        {
            Lock.ReleaseExclusive();
        }
    }

    public override void ReleaseWindow() => BlockAllocator.ReleaseWindow(_placement.Window);

    private async ValueTask<BlockRun> FillHoleAsync(
        Handle handle, ExtentPath path, FileBlock first, ulong count, MapState state, bool fromReservation)
    {
        ulong begun = fromReservation ? Reservation.Begin(count) : 0;
        ulong mapped = 0;
        ulong clusters = 0;
        try
        {
            SpaceUse use = begun > 0 ? SpaceUse.Reserved : SpaceUse.Ordinary;
            Placement placed = await _placement.PlaceAsync(handle, path, first.Value, begun > 0 ? begun : count, use).ConfigureAwait(false);
            try
            {
                var pieces = default(ExtentPieces);
                pieces.Add(first.Value, placed.Count, state == MapState.Unwritten, placed.First);
                var nodes = new NodeSpace(begun > 0 ? Reservation : null, begun > 0 ? SpaceUse.Essential : SpaceUse.Ordinary);
                Owner.AddSectors((long)placed.Taken.Count << (Volume.Geometry.LogBlockSize - 9));
                await _splice.ApplyAsync(handle, path, path.LeafIndex + 1, removed: 0, pieces, nodes).ConfigureAwait(false);
            }
            catch
            {
                await GiveBackAsync(handle, placed.Taken).ConfigureAwait(false);
                throw;
            }

            mapped = begun > 0 ? placed.Count : 0;
            clusters = begun > 0 ? placed.Taken.Count >> Volume.Geometry.LogClusterRatio : 0;
            return new BlockRun(first, placed.First, placed.Count, state);
        }
        finally
        {
            if (begun > 0)
            {
                Reservation.End(begun, mapped, clusters);
            }
        }
    }

    /// <summary>Turns the extent at <paramref name="block"/>, as far as it lies before <paramref name="end"/>; returns where to go on.</summary>
    private async ValueTask<ulong> TurnAsync(Handle handle, ulong block, ulong end, bool toUnwritten)
    {
        ExtentPath path = await _tree.DescendAsync(block, forChange: true).ConfigureAwait(false);
        try
        {
            BlockRun run = _tree.RunAt(path, block);
            ulong stop = Math.Min(run.End.Value, end);
            if (run.IsAllocated && run.State == (toUnwritten ? MapState.Mapped : MapState.Unwritten))
            {
                Cache.Drop(new FileBlock(block), stop - block);
                await _removal.TurnAsync(handle, path, block, stop, toUnwritten).ConfigureAwait(false);
                Cache.Put(run.From(new FileBlock(block), stop - block) with { State = toUnwritten ? MapState.Unwritten : MapState.Mapped });
            }

            return stop;
        }
        finally
        {
            path.Release();
        }
    }

    /// <summary>Runs a shift, one leaf after the other, each in its own handle.</summary>
    private async ValueTask ShiftAsync(Func<Handle, ValueTask<bool>> next)
    {
        Handle? handle = null;
        try
        {
            handle = await Volume.Journal.BeginAsync(_splice.Credits).ConfigureAwait(false);
            while (await ShiftOneAsync(handle, next).ConfigureAwait(false))
            {
                await handle.RestartAsync(_splice.Credits).ConfigureAwait(false);
            }
        }
        finally
        {
            _shift.Reset();
            handle?.Stop();
        }
    }

    private async ValueTask<bool> ShiftOneAsync(Handle handle, Func<Handle, ValueTask<bool>> next)
    {
        await Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            Cache.Clear();
            return await next(handle).ConfigureAwait(false);
        }
        finally
        {
            Lock.ReleaseExclusive();
        }
    }

    /// <summary>How many clusters of the file a run brings with it: those at its ends may have other blocks of the file.</summary>
    private async ValueTask<ulong> CountNewClustersAsync(BlockRun run)
    {
        ulong mask = (ulong)Volume.Geometry.ClusterRatio - 1;
        (ulong first, ulong end) = (run.First.Value, run.End.Value);
        (ulong firstCluster, ulong lastCluster) = (first & ~mask, (end - 1) & ~mask);
        ulong clusters = ((lastCluster - firstCluster) >> Volume.Geometry.LogClusterRatio) + 1;
        bool isFirstShared = await ClusterSharing.IsMappedAsync(_tree, firstCluster, first).ConfigureAwait(false);
        bool isLastShared = await ClusterSharing.IsMappedAsync(_tree, end, lastCluster + mask + 1).ConfigureAwait(false);
        ulong shared = (isFirstShared ? 1u : 0u) + (isLastShared ? 1u : 0u);
        return clusters - (firstCluster == lastCluster ? Math.Min(shared, 1) : shared);
    }

    private void RequireWholeClusters(FileBlock first, ulong count)
    {
        ulong mask = (ulong)Volume.Geometry.ClusterRatio - 1;
        if (((first.Value | count) & mask) != 0)
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"{Owner.Number}: the range does not consist of whole clusters");
        }
    }

    /// <summary>Caches the run looked for and those after it in the same leaf; itself last, so that it stays if the cache overflows.</summary>
    private void Remember(ExtentPath path, BlockRun run)
    {
        RememberAhead(path, run);
        Cache.Put(run);
    }

    private void RememberAhead(ExtentPath path, BlockRun run)
    {
        for (int i = path.LeafIndex + 1; i < path.LeafIndex + MaxCachedAhead && _tree.LeafAt(path, i) is { } extent; i++)
        {
            BlockRun next = ExtentTree.ToRun(extent);
            if (next.First < run.End)
            {
                return;
            }

            if (next.First > run.End)
            {
                Cache.Put(BlockRun.Hole(run.End, next.First - run.End));
            }

            Cache.Put(next);
            run = next;
        }
    }

    /// <summary>
    /// The most nodes that mapping so many more blocks can add: each may meet another full leaf, as long as there are more of those,
    /// and leaves are half full after a split.
    /// </summary>
    protected override ulong EstimateNodes(ulong blocks)
    {
        if (blocks == 0)
        {
            return 0;
        }

        int depth = _tree.DepthHint;
        ulong half = (ulong)ExtentHeader.CapacityOf(BlockSize) / 2;
        ulong fullLeaves = depth switch { 0 => 1, 1 => ExtentHeader.RootCapacity, _ => blocks };
        ulong leaves = Math.Min(blocks, fullLeaves + (blocks / half) + 1);
        return leaves + (leaves / half) + (ulong)depth + 1;
    }
}

using System.Buffers;
using Penstock.Execution;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// Takes and frees blocks of the volume. With bigalloc everything is in clusters: what is taken starts and ends at a cluster's edge.
/// </summary>
/// <remarks>
/// Invariants: (1) a block is handed out once until it is freed; (2) a freed block is neither handed out nor discarded before the transaction
/// that freed it is on the device (invariant 3.5); (3) nothing in a group found damaged is changed.
/// </remarks>
internal sealed class BlockAllocator
{
    /// <summary>One bitmap and one descriptor: what an allocation, and a free for each group, cost.</summary>
    public const int CreditsPerGroup = 2;

    private readonly Ext4Volume _volume;
    private readonly GroupClusters _clusters;
    private readonly GroupLayout _layout;
    private readonly ClusterSearch _search;

    public BlockAllocator(Ext4Volume volume)
    {
        _volume = volume;
        _clusters = new GroupClusters(volume);
        _layout = new GroupLayout(volume.Groups);
        _search = new ClusterSearch(volume, this, _clusters);
    }

    private VolumeGeometry Geometry => _volume.Geometry;

    private SpaceAccount Space => _volume.Space;

    /// <summary>Credits to free a run that touches at most so many blocks.</summary>
    public int CreditsToFree(ulong blocks) => (int)(Math.Min((blocks / Geometry.BlocksPerGroup) + 2, Geometry.GroupCount) * CreditsPerGroup);

    /// <summary>Takes a run of clusters: at least one, at most as many as are asked for. <see cref="CreditsPerGroup"/> credits.</summary>
    /// <exception cref="FileSystemException">NoSpace.</exception>
    public async ValueTask<BlockSpan> AllocateAsync(Handle handle, AllocationRequest request)
    {
        ulong taken = Space.Take(request.Clusters, request.Use);
        if (taken == 0)
        {
            throw new FileSystemException(IoFault.NoSpace);
        }

        BlockSpan found = default;
        try
        {
            found = await _search.TakeAsync(handle, request with { Clusters = taken }).ConfigureAwait(false);
        }
        finally
        {
            Space.PutBack(taken - (found.Count >> Geometry.LogClusterRatio), request.Use);
        }

        return found.Count != 0 ? found : throw new FileSystemException(IoFault.NoSpace);
    }

    /// <summary>
    /// Frees the clusters that the blocks lie in. <see cref="CreditsToFree"/> credits. Metadata among them must be forgotten by the caller.
    /// </summary>
    /// <exception cref="CorruptVolumeException">They are free already, not on the volume, or its own: nothing was changed in that group.</exception>
    public async ValueTask FreeAsync(Handle handle, VolumeBlock first, ulong count)
    {
        if (!Geometry.Contains(first, count))
        {
            throw new CorruptVolumeException("block map", first.ToString(), "length", $"{count}, not on the volume");
        }

        ulong left = count;
        VolumeBlock next = first;
        while (left > 0)
        {
            BlockGroup number = Geometry.GroupOf(next);
            VolumeBlock end = Geometry.FirstBlockOf(number) + Geometry.BlocksIn(number);
            ulong here = Math.Min(left, end - next);
            await FreeInGroupAsync(handle, number, RangeOf(next, here)).ConfigureAwait(false);
            next += here;
            left -= here;
        }
    }

    /// <summary>
    /// Sees to it that the clusters of known blocks are in use: takes those that are free, for a recovery that is told where a file lies.
    /// <see cref="CreditsToFree"/> credits.
    /// </summary>
    /// <exception cref="CorruptVolumeException">They are not on the volume, or its own.</exception>
    public async ValueTask ClaimAsync(Handle handle, VolumeBlock first, ulong count)
    {
        if (!Geometry.Contains(first, count))
        {
            throw new CorruptVolumeException("block map", first.ToString(), "length", $"{count}, not on the volume");
        }

        while (count > 0)
        {
            BlockGroup number = Geometry.GroupOf(first);
            ulong here = Math.Min(count, Geometry.FirstBlockOf(number) + Geometry.BlocksIn(number) - first);
            await ClaimInGroupAsync(handle, number, RangeOf(first, here)).ConfigureAwait(false);
            first += here;
            count -= here;
        }
    }

    /// <summary>The transaction that freed the blocks is on the device: see <see cref="IJournalClient.FreedBlocksCommitted"/>.</summary>
    public void FreedBlocksCommitted(VolumeBlock first, ulong count)
    {
        // A journal may have joined what was freed in neighbouring groups.
        while (count > 0)
        {
            BlockGroup number = Geometry.GroupOf(first);
            ulong here = Math.Min(count, Geometry.FirstBlockOf(number) + Geometry.BlocksIn(number) - first);
            EndPending(number, RangeOf(first, here));
            first += here;
            count -= here;
        }
    }

    /// <summary>The group with its descriptor and bitmap; no bitmap where it was never written. Null if the group is damaged.</summary>
    public async ValueTask<OpenGroup?> OpenAsync(BlockGroup number)
    {
        Group group = await _volume.Groups.FindAsync(number).ConfigureAwait(false);
        if (group.Damage is not null)
        {
            return null;
        }

        await _layout.PrepareAsync(group).ConfigureAwait(false);
        MetadataBlock descriptor = await _volume.Cache.GetAsync(group.DescriptorBlock).ConfigureAwait(false);
        bool isUninit;
        lock (group)
        {
            isUninit = _clusters.IsUninit(group);
        }

        try
        {
            MetadataBlock? bitmap = isUninit ? null : await _volume.Cache.GetAsync(group.BlockBitmap).ConfigureAwait(false);
            return new OpenGroup(group, descriptor, bitmap);
        }
        catch
        {
            descriptor.Unpin();
            throw;
        }
    }

    /// <summary>Discards what is free in a range of blocks, in runs of at least <paramref name="minimum"/> blocks: how many blocks were.</summary>
    public async ValueTask<ulong> TrimAsync(VolumeBlock first, ulong count, ulong minimum)
    {
        ulong trimmed = 0;
        VolumeBlock end = first + Math.Min(count, Geometry.BlockCount - Math.Min(first.Value, Geometry.BlockCount));
        VolumeBlock next = new(Math.Max(first.Value, Geometry.FirstDataBlock.Value));
        while (next < end)
        {
            BlockGroup number = Geometry.GroupOf(next);
            ulong here = Math.Min(end - next, Geometry.FirstBlockOf(number) + Geometry.BlocksIn(number) - next);
            trimmed += await TrimGroupAsync(number, RangeOf(next, here), minimum).ConfigureAwait(false);
            next += here;
        }

        return trimmed;
    }

    /// <summary>Gives up a window.</summary>
    public static void ReleaseWindow(AllocationWindow window)
    {
        if (window.Group is { } group)
        {
            lock (group)
            {
                if (ReferenceEquals(window.Group, group))
                {
                    group.Windows!.Remove(window);
                    group.LongestRun = uint.MaxValue;
                    window.Group = null;
                }
            }
        }
    }

    private async ValueTask FreeInGroupAsync(Handle handle, BlockGroup number, ClusterRange range)
    {
        bool isPending = !_volume.Scheduler.IsBroken(Rule.FreedBlocksWaitForCommit);
        if (await OpenAsync(number).ConfigureAwait(false) is not { } open)
        {
            throw (await _volume.Groups.FindAsync(number).ConfigureAwait(false)).Damage!;
        }

        try
        {
            lock (open.Group)
            {
                _clusters.Release(handle, open, range, isPending);
            }
        }
        finally
        {
            open.Close();
        }

        if (!isPending)
        {
            Space.PutBack(range.Count, SpaceUse.Ordinary);
            return;
        }

        Space.AddPending(range.Count);
        BlockSpan blocks = _clusters.ToBlocks(open.Group, range);
        handle.Freed(blocks.First, Math.Min(blocks.Count, Geometry.BlockCount - blocks.First.Value));
    }

    private async ValueTask ClaimInGroupAsync(Handle handle, BlockGroup number, ClusterRange range)
    {
        // Opened again for every piece: the first makes the bitmap of a group that had none.
        for (uint next = range.First; next < range.End;)
        {
            OpenGroup open = await OpenAsync(number).ConfigureAwait(false)
                ?? throw (await _volume.Groups.FindAsync(number).ConfigureAwait(false)).Damage!;
            try
            {
                uint claimed;
                lock (open.Group)
                {
                    claimed = _clusters.TakeFree(handle, open, range with { First = next, Count = range.End - next }, out next);
                }

                Space.Take(claimed, SpaceUse.Essential);
            }
            finally
            {
                open.Close();
            }
        }
    }

    private void EndPending(BlockGroup number, ClusterRange range)
    {
        Group group = _volume.Groups.TryGet(number)
            ?? throw new InvalidOperationException($"Blocks were freed in {number}, which was never loaded.");
        if (_volume.DiscardsFreedBlocks && _volume.Device.CanDiscard)
        {
            _volume.Scheduler.Start(() => DiscardAsync(group, range));
        }
        else
        {
            EndPending(group, range);
        }
    }

    private void EndPending(Group group, ClusterRange range)
    {
        lock (group)
        {
            GroupClusters.LetGo(group, range);
        }

        Space.EndPending(range.Count);
    }

    private async Task DiscardAsync(Group group, ClusterRange range)
    {
        // A failed discard loses nothing; the blocks are free either way.
        BlockSpan blocks = _clusters.ToBlocks(group, range);
        _ = await DiscardAsync(blocks).ConfigureAwait(false);
        EndPending(group, range);
    }

    private ValueTask<IoResult> DiscardAsync(BlockSpan blocks)
    {
        ulong count = Math.Min(blocks.Count, Geometry.BlockCount - blocks.First.Value);
        return _volume.Device.DiscardAsync((long)blocks.First.Value << Geometry.LogBlockSize, (long)count << Geometry.LogBlockSize);
    }

    private async ValueTask<ulong> TrimGroupAsync(BlockGroup number, ClusterRange within, ulong minimum)
    {
        if (await OpenAsync(number).ConfigureAwait(false) is not { } open)
        {
            return 0;
        }

        ulong trimmed = 0;
        try
        {
            uint next = within.First;
            while (TryHoldFree(open, within with { First = next, Count = within.End - next }, minimum, out ClusterRange run, out next))
            {
                IoResult result = await DiscardAsync(_clusters.ToBlocks(open.Group, run)).ConfigureAwait(false);
                lock (open.Group)
                {
                    GroupClusters.LetGo(open.Group, run);
                }

                Space.PutBack(run.Count, SpaceUse.Ordinary);
                trimmed += result.IsFailed ? 0 : (ulong)run.Count << Geometry.LogClusterRatio;
            }
        }
        finally
        {
            open.Close();
        }

        return trimmed;
    }

    /// <summary>Finds the next free run that is long enough and keeps it from being taken while it is discarded.</summary>
    private bool TryHoldFree(in OpenGroup open, ClusterRange within, ulong minimum, out ClusterRange run, out uint next)
    {
        const uint MaxHeld = 8192;
        uint wanted = (uint)Math.Clamp(minimum >> Geometry.LogClusterRatio, 1, uint.MaxValue);
        ulong[] view = ArrayPool<ulong>.Shared.Rent(_clusters.ViewLength);
        try
        {
            lock (open.Group)
            {
                next = within.End;
                run = default;
                if (_clusters.IsStale(open))
                {
                    return false;
                }

                Span<ulong> words = view.AsSpan(0, _clusters.ViewLength);
                _clusters.Look(open, words, own: null, respectsWindows: false);
                run = BitmapSearch.FindRun(words, within.First, within.End, wanted);
                if (run.Count < wanted)
                {
                    return false;
                }

                run = run with { Count = Math.Min(BitmapSearch.NextSet(words, run.First, within.End) - run.First, Math.Max(MaxHeld, wanted)) };
                ulong taken = Space.Take(run.Count, SpaceUse.Ordinary);
                if (taken < run.Count)
                {
                    // Too little is free to hold any of it back.
                    Space.PutBack(taken, SpaceUse.Ordinary);
                    return false;
                }

                next = run.End;
                _clusters.Hold(open.Group, run);
                return true;
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(view);
        }
    }

    private ClusterRange RangeOf(VolumeBlock first, ulong count)
    {
        uint firstCluster = Geometry.ClusterInGroup(first);
        uint lastCluster = Geometry.ClusterInGroup(first + (count - 1));
        return new ClusterRange(firstCluster, lastCluster - firstCluster + 1);
    }
}

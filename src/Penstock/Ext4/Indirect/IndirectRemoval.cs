using Penstock.Ext4.Allocation;
using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Indirect;

/// <summary>
/// Takes blocks out of a block map, a run at a time, and the indirect blocks that are left empty. Each step leaves the file whole. The
/// mapping lock is held exclusively.
/// </summary>
internal sealed class IndirectRemoval(IndirectTree tree)
{
    private readonly List<VolumeBlock> _emptied = [];

    private VolumeGeometry Geometry => tree.Volume.Geometry;

    /// <summary>Credits of one step: the indirect blocks on the way and the groups they go back to, the run's groups, the inode.</summary>
    public int StepCredits =>
        (IndirectMap.MaxLevels * (1 + BlockAllocator.CreditsPerGroup)) + tree.Volume.Blocks.CreditsToFree(tree.PointersPerBlock) + 1;

    /// <summary>Frees the last run of [from, to): returns where the rest of the range ends.</summary>
    public async ValueTask<ulong> RemoveLastAsync(Handle handle, ulong from, ulong to)
    {
        IndirectWalk walk = await tree.WalkAsync(to - 1).ConfigureAwait(false);
        try
        {
            ulong start = tree.SubtreeStart(walk);
            if (!walk.IsComplete || !TryFindLastRun(walk, Math.Max(from, start), out BlockRun run))
            {
                return Math.Max(from, start);
            }

            await tree.Volume.Blocks.FreeAsync(handle, run.Volume, run.Count).ConfigureAwait(false);
            ForgetMetadata(handle, run);
            uint index = (uint)(run.First.Value - start);
            tree.SetPointers(handle, walk, walk.Path.Levels, index, (uint)run.Count, first: 0);
            Unlink(handle, walk);
            await FinishAsync(handle, run.Count).ConfigureAwait(false);
            return run.First.Value;
        }
        finally
        {
            walk.Release();
        }
    }

    /// <summary>The last consecutive blocks at or before the walk's block, and not before <paramref name="from"/>.</summary>
    private bool TryFindLastRun(IndirectWalk walk, ulong from, out BlockRun run)
    {
        (ReadOnlySpan<byte> pointers, uint index, _, VolumeBlock node) = tree.LeafOf(walk);
        uint lowest = index - (uint)(walk.Block - from);
        uint last = index + 1;
        while (last > lowest && IndirectMap.ReadPointer(pointers, last - 1) == 0)
        {
            last--;
        }

        run = default;
        if (last == lowest)
        {
            return false;
        }

        uint first = last - 1;
        uint volumeBlock = IndirectMap.ReadPointer(pointers, first);
        while (first > lowest && IndirectMap.ReadPointer(pointers, first - 1) == volumeBlock - 1 && volumeBlock > 1)
        {
            first--;
            volumeBlock--;
        }

        var location = new InodeBlockLocation(tree.Owner.Number, node);
        IndirectMap.CheckPointer(volumeBlock, first, location, Geometry);
        run = new BlockRun(new FileBlock(walk.Block - (index - first)), new VolumeBlock(volumeBlock), last - first, MapState.Mapped);
        return true;
    }

    /// <summary>Takes indirect blocks that are empty now out of those above them.</summary>
    private void Unlink(Handle handle, IndirectWalk walk)
    {
        _emptied.Clear();
        for (int level = walk.Path.Levels - 1; level >= 0 && IndirectTree.IsEmpty(walk.NodeAt(level).Bytes); level--)
        {
            uint index = level == 0 ? walk.Path.Slot : walk.Path[level - 1];
            tree.SetPointers(handle, walk, level, index, count: 1, first: 0);
            _emptied.Add(walk.NodeAt(level).Number);
        }
    }

    private async ValueTask FinishAsync(Handle handle, ulong removed)
    {
        tree.Owner.AddSectors(-(((long)removed + _emptied.Count) << (Geometry.LogBlockSize - 9)));
        await tree.Owner.StoreAsync(handle).ConfigureAwait(false);
        foreach (VolumeBlock node in _emptied)
        {
            handle.Forget(node);
            await tree.Volume.Blocks.FreeAsync(handle, node, 1).ConfigureAwait(false);
        }
    }

    private void ForgetMetadata(Handle handle, BlockRun run)
    {
        for (ulong i = 0; tree.Owner.HasMetadataContent && i < run.Count; i++)
        {
            handle.Forget(run.Volume + i);
        }
    }
}

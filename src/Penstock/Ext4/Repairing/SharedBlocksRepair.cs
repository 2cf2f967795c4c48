using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>
/// Blocks with several owners: each owner but the last gets a copy of its own; an inode for which there is no room is removed. With bigalloc the
/// whole file is copied, which also puts right clusters that are out of step with the file.
/// </summary>
internal sealed class SharedBlocksRepair(CheckRun run, Repair repair)
{
    private const uint BadBlocksInode = 1;

    /// <summary>More shared clusters than this are left alone: memory is bounded.</summary>
    private const ulong MostShared = 1 << 21;

    /// <summary>Bytes copied in one round; the next one goes on.</summary>
    private const long MostCopied = 48L << 20;

    private readonly Dictionary<ulong, int> _owners = [];
    private readonly HashSet<ulong> _attributeBlocks = [];
    private long _copied;

    public async ValueTask RunAsync()
    {
        ulong shared = run.Has(ReadOnlyCompatFeatures.SharedBlocks) ? 0 : run.Shared.CountAll();
        if ((shared == 0 && repair.Misaligned.Count == 0) || shared > MostShared)
        {
            return;
        }

        await InodeScan.RunAsync(run, CountAsync).ConfigureAwait(false);
        await InodeScan.RunAsync(run, SeparateAsync).ConfigureAwait(false);
    }

    private static bool HasMap(InodeRecord inode) =>
        !inode.Is(InodeFlags.InlineContents) && inode.Kind is InodeKind.Regular or InodeKind.Directory or InodeKind.SymbolicLink or 0
        && !(inode.IsSymbolicLink && inode.Size < InodeRecord.BlockFieldSize);

    private async ValueTask<FileMap?> LoadAsync(uint number, InodeRecord inode)
    {
        var map = new FileMap(run, repair, number);
        return number != ResizeInodeLayout.Number && HasMap(inode) && await map.LoadAsync(inode).ConfigureAwait(false) ? map : null;
    }

    private async ValueTask<bool> CountAsync(uint number, InodeRecord inode)
    {
        if (inode.AttributeBlock.Value != 0 && run.Contains(inode.AttributeBlock.Value) && _attributeBlocks.Add(inode.AttributeBlock.Value))
        {
            CountUnit(run.UnitOf(inode.AttributeBlock.Value));
        }

        if (number == ResizeInodeLayout.Number && IndirectMap.ReadPointer(inode.BlockField, IndirectMap.DoubleIndirectSlot) is var root && run.Contains(root))
        {
            // Its first block stays where it is; who else has it gets a copy.
            CountUnit(run.UnitOf(root));
        }

        if (await LoadAsync(number, inode).ConfigureAwait(false) is not { } map)
        {
            return false;
        }

        foreach (ulong block in map.MapBlocks)
        {
            CountUnit(run.UnitOf(block));
        }

        ulong lastUnit = ulong.MaxValue;
        ulong lastCluster = ulong.MaxValue;
        foreach (MapRun part in map.Runs)
        {
            ulong end = run.UnitOf(part.Volume + part.Count - 1);
            for (ulong unit = run.UnitOf(part.Volume); unit <= end; unit++)
            {
                // Pieces of one cluster of the file are one owner.
                ulong cluster = part.File >> run.Geometry.LogClusterRatio;
                if (run.Geometry.LogClusterRatio == 0 || unit != lastUnit || cluster != lastCluster)
                {
                    CountUnit(unit);
                }

                (lastUnit, lastCluster) = (unit, (part.End - 1) >> run.Geometry.LogClusterRatio);
            }
        }

        return false;
    }

    private void CountUnit(ulong unit)
    {
        if (run.Shared.Contains(unit))
        {
            if (!_owners.TryGetValue(unit, out int owners))
            {
                ulong block = (unit << run.Geometry.LogClusterRatio) + run.Geometry.FirstDataBlock.Value;
                owners = run.Metadata.Intersects(block, (ulong)run.Geometry.ClusterRatio) ? 1 : 0;
            }

            _owners[unit] = owners + 1;
        }
    }

    private bool IsShared(ulong block) => _owners.TryGetValue(run.UnitOf(block), out int owners) && owners > 1;

    private async ValueTask<bool> SeparateAsync(uint number, InodeRecord inode)
    {
        if (number == BadBlocksInode)
        {
            return false;
        }

        bool isMoved = inode.AttributeBlock.Value != 0 && IsShared(inode.AttributeBlock.Value) && await CopyAttributesAsync(number, inode).ConfigureAwait(false);
        FileMap? map = await LoadAsync(number, inode).ConfigureAwait(false);
        bool isConcerned = map is not null && (map.HasDropped || repair.Misaligned.Contains(number) || map.MapBlocks.Exists(IsShared) || map.Runs.Exists(HasShared));
        if (map is not null && isConcerned)
        {
            repair.Note("inode", $"inode {number}", "blocks of it have more than one owner");
            map.Take(map.Runs, KeepMapBlocks(map.MapBlocks));
            bool isCopied = run.Geometry.LogClusterRatio == 0
                ? await CopyBlocksAsync(map).ConfigureAwait(false)
                : await CopyClustersAsync(map).ConfigureAwait(false);
            isCopied = isCopied && await map.StoreAsync(inode, inode.AttributeBlock.Value != 0 ? 1u : 0u).ConfigureAwait(false);
            if (!isCopied)
            {
                await repair.RemoveInodeAsync(number, inode).ConfigureAwait(false);
                return true;
            }
        }

        if (isMoved || isConcerned)
        {
            await repair.WriteInodeAsync(number, inode).ConfigureAwait(false);
        }

        return _copied >= MostCopied;
    }

    private bool HasShared(MapRun part)
    {
        for (ulong i = 0; i < part.Count; i += (ulong)run.Geometry.ClusterRatio)
        {
            if (IsShared(part.Volume + i))
            {
                return true;
            }
        }

        return IsShared(part.Volume + part.Count - 1);
    }

    /// <summary>The map's own blocks that stay: it is written anew, and takes others for those that it leaves.</summary>
    private List<ulong> KeepMapBlocks(List<ulong> blocks)
    {
        var kept = new List<ulong>();
        foreach (ulong block in blocks)
        {
            if (IsShared(block))
            {
                Leave(block);
            }
            else
            {
                kept.Add(block);
            }
        }

        return kept;
    }

    private void Leave(ulong block) => _owners[run.UnitOf(block)]--;

    private async ValueTask<bool> CopyBlocksAsync(FileMap map)
    {
        var made = new List<MapRun>();
        ulong near = 0;
        foreach (MapRun part in map.Runs)
        {
            for (ulong i = 0; i < part.Count; i++)
            {
                ulong block = part.Volume + i;
                if (IsShared(block) && _copied < MostCopied)
                {
                    if (repair.TakeCluster(near) is not { } own)
                    {
                        return false;
                    }

                    await CopyAsync(block, own, part.IsUnwritten).ConfigureAwait(false);
                    Leave(block);
                    (near, block) = (own, own);
                }

                Append(made, new MapRun(part.File + i, block, 1, part.IsUnwritten));
            }
        }

        map.Take(made, map.MapBlocks);
        return true;
    }

    private async ValueTask<bool> CopyClustersAsync(FileMap map)
    {
        var made = new List<MapRun>();
        ulong mask = (1UL << run.Geometry.LogClusterRatio) - 1;
        (ulong cluster, ulong place) = (ulong.MaxValue, 0);
        foreach (MapRun part in map.Runs)
        {
            for (ulong i = 0; i < part.Count; i++)
            {
                ulong file = part.File + i;
                if (file >> run.Geometry.LogClusterRatio != cluster)
                {
                    if (repair.TakeCluster(0) is not { } own)
                    {
                        return false;
                    }

                    if (IsShared(part.Volume + i))
                    {
                        Leave(part.Volume + i);
                    }

                    (cluster, place) = (file >> run.Geometry.LogClusterRatio, own);
                }

                await CopyAsync(part.Volume + i, place + (file & mask), part.IsUnwritten).ConfigureAwait(false);
                Append(made, new MapRun(file, place + (file & mask), 1, part.IsUnwritten));
            }
        }

        map.Take(made, map.MapBlocks);
        return true;
    }

    private static void Append(List<MapRun> runs, MapRun next)
    {
        if (runs.Count > 0 && runs[^1] is var last && last.End == next.File && last.Volume + last.Count == next.Volume && last.IsUnwritten == next.IsUnwritten)
        {
            runs[^1] = last with { Count = last.Count + next.Count };
        }
        else
        {
            runs.Add(next);
        }
    }

    private async ValueTask CopyAsync(ulong from, ulong to, bool isUnwritten)
    {
        if (isUnwritten)
        {
            return;
        }

        using AlignedBuffer buffer = run.Store.Allocate(1);
        await run.Store.ReadAsync(from, 1, buffer.Segment).ConfigureAwait(false);
        await repair.WriteAsync(to, buffer.Segment).ConfigureAwait(false);
        _copied += run.BlockSize;
    }

    private async ValueTask<bool> CopyAttributesAsync(uint number, InodeRecord inode)
    {
        repair.Note("inode", $"inode {number}", $"its attribute block {inode.AttributeBlock.Value} has another owner");
        ulong? own = repair.TakeCluster(0);
        using AlignedBuffer buffer = run.Store.Allocate(1);
        if (own is not null && await run.Store.ReadAsync(inode.AttributeBlock.Value, 1, buffer.Segment).ConfigureAwait(false))
        {
            await AttributeCheck.WriteBlockAsync(run, buffer, own.Value, 1).ConfigureAwait(false);
        }

        Leave(inode.AttributeBlock.Value);
        inode.AttributeBlock = new Mapping.VolumeBlock(own ?? 0);
        return true;
    }
}

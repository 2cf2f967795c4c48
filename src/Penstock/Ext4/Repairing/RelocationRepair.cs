using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>A structure of a group.</summary>
internal enum GroupPart : byte
{
    BlockBitmap,
    InodeBitmap,
    InodeTable,
}

/// <summary>
/// Bitmaps and inode tables that cannot be where the descriptors say get another place, once every other owner of blocks is known. What can be
/// read where they were said to be comes along.
/// </summary>
internal sealed class RelocationRepair(CheckRun run, Repair repair)
{
    public async ValueTask RunAsync()
    {
        foreach ((uint group, GroupPart part) in repair.Lost)
        {
            ulong count = part == GroupPart.InodeTable ? run.Geometry.InodeTableBlocks : 1;
            ulong before = PlaceOf(group, part).Value;
            if (FindSpace(group, count) is not { } place)
            {
                run.Log.Problem("group descriptor", $"group {group}", $"its {part} at block {before} has to move, and there is no room");
                continue;
            }

            repair.Note("group descriptor", $"group {group}", $"its {part} is at block {before}, where it cannot be: it moves to {place}");
            await CopyAsync(before, place, count).ConfigureAwait(false);
            Move(group, part, place);
            run.Used.Add(run.UnitOf(place), run.UnitOf(place + count - 1) - run.UnitOf(place) + 1);
            await repair.WriteDescriptorAsync(group).ConfigureAwait(false);
        }
    }

    private VolumeBlock PlaceOf(uint group, GroupPart part) => part switch
    {
        GroupPart.BlockBitmap => run.Descriptors[group].BlockBitmap,
        GroupPart.InodeBitmap => run.Descriptors[group].InodeBitmap,
        _ => run.Descriptors[group].InodeTable,
    };

    private void Move(uint group, GroupPart part, ulong place)
    {
        ref GroupDescriptor descriptor = ref run.Descriptors[group];
        switch (part)
        {
            case GroupPart.BlockBitmap:
                descriptor.BlockBitmap = new VolumeBlock(place);
                descriptor.Flags &= ~GroupFlags.BlockUninit;
                break;
            case GroupPart.InodeBitmap:
                descriptor.InodeBitmap = new VolumeBlock(place);
                descriptor.Flags &= ~GroupFlags.InodeUninit;
                break;
            default:
                descriptor.InodeTable = new VolumeBlock(place);
                descriptor.Flags &= ~GroupFlags.InodeUninit;
                descriptor.UnusedInodes = 0;
                break;
        }
    }

    private async ValueTask CopyAsync(ulong before, ulong place, ulong count)
    {
        using AlignedBuffer buffer = run.Store.Allocate(1);
        for (ulong i = 0; i < count; i++)
        {
            buffer.GetSpan().Clear();
            if (before > run.Geometry.SuperblockBlock.Value && run.Contains(before, count))
            {
                await run.Store.ReadAsync(before + i, 1, buffer.Segment).ConfigureAwait(false);
            }

            await repair.WriteAsync(place + i, buffer.Segment).ConfigureAwait(false);
        }
    }

    /// <summary>Free blocks in a row: in the group, or anywhere where the format allows that.</summary>
    private ulong? FindSpace(uint group, ulong count)
    {
        var own = new BlockGroup(group);
        ulong first = run.Geometry.FirstBlockOf(own).Value;
        return FindIn(first, first + run.Geometry.BlocksIn(own), count)
            ?? (run.Has(IncompatFeatures.FlexBg) ? FindIn(run.Geometry.FirstDataBlock.Value, run.Geometry.BlockCount, count) : null);
    }

    private ulong? FindIn(ulong first, ulong end, ulong count)
    {
        ulong free = 0;
        ulong ratio = (ulong)run.Geometry.ClusterRatio;
        for (ulong block = first; block < end; block += ratio)
        {
            free = run.Used.Contains(run.UnitOf(block)) ? 0 : free + Math.Min(ratio, end - block);
            if (free >= count)
            {
                return block + Math.Min(ratio, end - block) - free;
            }
        }

        return null;
    }
}

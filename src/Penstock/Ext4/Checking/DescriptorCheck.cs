using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Mapping;

namespace Penstock.Ext4.Checking;

/// <summary>The group descriptors: read, judged, and what they point to claimed.</summary>
internal sealed class DescriptorCheck(CheckRun run)
{
    private const string Structure = "group descriptor";

    /// <summary>Reads all descriptors that belong to the superblock in use; a block that cannot be read counts as zeros.</summary>
    public async ValueTask ReadAsync()
    {
        VolumeGeometry geometry = run.Geometry;
        using AlignedBuffer buffer = run.Store.Allocate(1);
        for (uint index = 0; index < geometry.DescriptorBlockCount; index++)
        {
            VolumeBlock block = PlaceOf(index);
            if (!run.Contains(block.Value) || !await run.Store.ReadAsync(block.Value, 1, buffer.Segment).ConfigureAwait(false))
            {
                buffer.GetSpan().Clear();
                run.Log.Problem(Structure, $"block {block.Value}", "it cannot be read");
            }

            uint first = index * geometry.DescriptorsPerBlock;
            uint count = Math.Min(geometry.DescriptorsPerBlock, geometry.GroupCount - first);
            for (uint slot = 0; slot < count; slot++)
            {
                ReadOnlySpan<byte> raw = buffer.GetSpan().Slice((int)slot * geometry.DescriptorSize, geometry.DescriptorSize);
                GroupDescriptor descriptor = GroupDescriptor.Read(raw);
                CheckChecksum(ref descriptor, raw, new BlockGroup(first + slot));
                run.Descriptors[first + slot] = descriptor;
            }
        }
    }

    /// <summary>Whether every group's structures lie where they can and on nothing else: else a backup's descriptors may be better.</summary>
    public bool ArePlausible()
    {
        var taken = new UnitMap(run.Geometry.BlockCount);
        ClaimHeads(taken);
        for (uint number = 0; number < run.Geometry.GroupCount; number++)
        {
            GroupDescriptor d = run.Descriptors[number];
            bool isPlausible = IsInside(number, d.BlockBitmap, 1) && taken.Add(d.BlockBitmap.Value, 1)
                && IsInside(number, d.InodeBitmap, 1) && taken.Add(d.InodeBitmap.Value, 1)
                && IsInside(number, d.InodeTable, run.Geometry.InodeTableBlocks) && taken.Add(d.InodeTable.Value, run.Geometry.InodeTableBlocks);
            if (!isPlausible)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Judges each descriptor, and claims the blocks of the volume's own structures.</summary>
    public async ValueTask RunAsync()
    {
        VolumeGeometry geometry = run.Geometry;
        ClaimHeads(run.Metadata);
        ulong tableBlocks = geometry.InodeTableBlocks;
        for (uint number = 0; number < geometry.GroupCount; number++)
        {
            ref GroupDescriptor d = ref run.Descriptors[number];
            CheckCounts(ref d, number);
            Claim(number, d.InodeTable, tableBlocks, GroupPart.InodeTable, "inode table");
            Claim(number, d.BlockBitmap, 1, GroupPart.BlockBitmap, "block bitmap");
            Claim(number, d.InodeBitmap, 1, GroupPart.InodeBitmap, "inode bitmap");
        }

        // What the metadata takes is in use, cluster by cluster.
        ClaimUnits();
        if (run.Repair is { } repair)
        {
            await repair.WriteMarkedDescriptorsAsync().ConfigureAwait(false);
        }
    }

    private VolumeBlock PlaceOf(uint index)
    {
        bool isBackup = run.SuperblockAt != run.Geometry.SuperblockBlock;
        bool isLinear = !run.Has(IncompatFeatures.MetaBg) || index < run.Superblock.FirstMetaBlockGroup;
        if (isBackup && !isLinear)
        {
            // The second copy of a meta group's descriptors begins its second group.
            var second = new BlockGroup((index * run.Geometry.DescriptorsPerBlock) + 1);
            if (second.Value < run.Geometry.GroupCount)
            {
                return run.Geometry.FirstBlockOf(second) + (run.Geometry.HasSuperblock(second) ? 1u : 0u);
            }
        }

        return isBackup && isLinear ? run.SuperblockAt + 1u + index : run.Geometry.DescriptorBlock(index);
    }

    private void CheckChecksum(ref GroupDescriptor descriptor, ReadOnlySpan<byte> raw, BlockGroup group)
    {
        if (run.GroupChecksum.IsUsed && run.SuperblockAt != run.Geometry.SuperblockBlock)
        {
            // A backup is as old as the volume: what was unused then may be in use now.
            descriptor.Flags &= ~(GroupFlags.BlockUninit | GroupFlags.InodeUninit);
            descriptor.UnusedInodes = 0;
            return;
        }

        if (run.GroupChecksum.IsUsed)
        {
            ushort expected = run.GroupChecksum.Compute(raw, group);
            if (descriptor.Checksum != expected)
            {
                // Refused a repair, e2fsck takes the descriptor's word for the rest, reads the bitmaps all the same, and calls it no error by itself.
                string found = $"bg_checksum is 0x{descriptor.Checksum:x4}, computed 0x{expected:x4}";
                if (run.Repair is { } repair)
                {
                    repair.MarkDescriptor(group.Value, found);
                    descriptor.Flags &= ~GroupFlags.InodeUninit;
                    descriptor.UnusedInodes = 0;
                }
                else
                {
                    run.Log.Note(Structure, $"group {group.Value}", found);
                    run.Distrusted.Add(group.Value);
                }

                descriptor.Flags &= ~GroupFlags.BlockUninit;
            }
        }
    }

    private void CheckCounts(ref GroupDescriptor d, uint number)
    {
        bool isMarked = (d.Flags & (GroupFlags.BlockUninit | GroupFlags.InodeUninit)) != 0 || d.UnusedInodes != 0;
        if (!run.GroupChecksum.IsUsed && isMarked)
        {
            d.Flags &= ~(GroupFlags.BlockUninit | GroupFlags.InodeUninit);
            Mend(number, "it is marked uninitialised on a volume without checksums", isNote: true);
            d.UnusedInodes = run.Repair is null ? d.UnusedInodes : 0;
        }

        if (run.GroupChecksum.IsUsed && d.UnusedInodes > run.Geometry.InodesPerGroup)
        {
            Mend(number, $"bg_itable_unused is {d.UnusedInodes} of {run.Geometry.InodesPerGroup}", isNote: true);
            d.UnusedInodes = run.Repair is null ? d.UnusedInodes : 0;
        }

        if (number == 0 && run.Repair is not null && d.Is(GroupFlags.InodeUninit))
        {
            Mend(number, "the group of the root is marked uninitialised", isNote: false);
            d.Flags &= ~GroupFlags.InodeUninit;
            d.UnusedInodes = 0;
        }

        if (number == run.Geometry.GroupCount - 1 && d.Is(GroupFlags.BlockUninit) && run.Geometry.GroupCount > 1 && HasPartialLastGroup())
        {
            Mend(number, "the last group's block bitmap is marked uninitialised", isNote: false);
            d.Flags &= ~GroupFlags.BlockUninit;
        }
    }

    /// <summary>Tells of what a descriptor says; a repair writes it, once it has been changed.</summary>
    private void Mend(uint number, string found, bool isNote)
    {
        if (run.Repair is { } repair)
        {
            repair.MarkDescriptor(number, found);
        }
        else if (isNote)
        {
            run.Log.Note(Structure, $"group {number}", found);
        }
        else
        {
            run.Log.Problem(Structure, $"group {number}", found);
        }
    }

    private bool HasPartialLastGroup() =>
        (run.Geometry.BlockCount - run.Geometry.FirstDataBlock.Value) % run.Geometry.BlocksPerGroup != 0;

    private bool IsInside(uint number, VolumeBlock first, ulong count)
    {
        if (!run.Contains(first.Value, count))
        {
            return false;
        }

        if (run.Has(IncompatFeatures.FlexBg))
        {
            return true;
        }

        var group = new BlockGroup(number);
        ulong begin = run.Geometry.FirstBlockOf(group).Value;
        return first.Value >= begin && first.Value + count <= begin + run.Geometry.BlocksIn(group);
    }

    private void Claim(uint number, VolumeBlock first, ulong count, GroupPart part, string what)
    {
        if (!IsInside(number, first, count))
        {
            run.Repair?.Lost.Add((number, part));
            run.Log.Problem(Structure, $"group {number}", $"its {what} is at block {first.Value}, where it cannot be");
            return;
        }

        if (!run.Metadata.Add(first.Value, count))
        {
            run.Repair?.Lost.Add((number, part));
            run.Log.Problem(Structure, $"group {number}", $"its {what} at block {first.Value} lies on another structure of the volume");
        }
    }

    /// <summary>Superblocks, descriptors and their reserve, at the start of groups.</summary>
    private void ClaimHeads(UnitMap map)
    {
        VolumeGeometry geometry = run.Geometry;
        for (uint number = 0; number < geometry.GroupCount; number++)
        {
            var group = new BlockGroup(number);
            uint head = Math.Min(geometry.HeadBlocksOf(group), geometry.BlocksIn(group));
            if (head > 0)
            {
                map.Add(geometry.FirstBlockOf(group).Value, head);
            }
        }

        if (geometry.FirstDataBlock.Value == 0 && !map.Contains(geometry.SuperblockBlock.Value))
        {
            map.Add(geometry.SuperblockBlock.Value, 1);
        }
    }

    private void ClaimUnits()
    {
        VolumeGeometry geometry = run.Geometry;
        for (uint number = 0; number < geometry.GroupCount; number++)
        {
            var group = new BlockGroup(number);
            uint head = Math.Min(geometry.HeadBlocksOf(group), geometry.BlocksIn(group));
            GroupDescriptor d = run.Descriptors[number];
            AddUnits(geometry.FirstBlockOf(group).Value, head);
            AddUnits(d.BlockBitmap.Value, 1);
            AddUnits(d.InodeBitmap.Value, 1);
            AddUnits(d.InodeTable.Value, geometry.InodeTableBlocks);
        }

        if (run.Has(IncompatFeatures.Mmp) && run.Contains(run.Superblock.MmpBlock) && run.Superblock.MmpBlock > run.Geometry.SuperblockBlock.Value)
        {
            AddUnits(run.Superblock.MmpBlock, 1);
            run.Metadata.Add(run.Superblock.MmpBlock, 1);
        }
    }

    private void AddUnits(ulong first, ulong count)
    {
        if (count > 0 && run.Contains(first, count))
        {
            ulong unit = run.UnitOf(first);
            run.Used.Add(unit, run.UnitOf(first + count - 1) - unit + 1);
        }
    }
}

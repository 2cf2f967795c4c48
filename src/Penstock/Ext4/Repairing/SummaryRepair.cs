using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>Pass 5 of a repair: bitmaps, their checksums, and all counts, made to say what the other passes found.</summary>
internal sealed class SummaryRepair(CheckRun run, Repair repair)
{
    private readonly byte[] _expected = new byte[run.BlockSize];
    private ulong _freeUnits;
    private ulong _freeInodes;
    private bool _isDescriptorWrong;

    public async ValueTask RunAsync()
    {
        using AlignedBuffer stored = run.Store.Allocate(1);
        for (uint group = 0; group < run.Geometry.GroupCount; group++)
        {
            if (repair.IsFull)
            {
                return;
            }

            _isDescriptorWrong = false;
            await MendBlocksAsync(group, stored).ConfigureAwait(false);
            await MendInodesAsync(group, stored).ConfigureAwait(false);
            if (_isDescriptorWrong)
            {
                await repair.WriteDescriptorAsync(group).ConfigureAwait(false);
            }
        }

        await MendTotalsAsync().ConfigureAwait(false);
    }

    private async ValueTask MendBlocksAsync(uint group, AlignedBuffer stored)
    {
        int units = (int)run.Geometry.ClustersIn(new BlockGroup(group));
        ulong first = run.UnitOf(run.Geometry.FirstBlockOf(new BlockGroup(group)).Value);
        _expected.AsSpan().Clear();
        run.Used.CopyTo(first, units, _expected);
        uint used = GroupBitmaps.CountBits(_expected.AsSpan(0, (units + 7) / 8));
        UnitMap.Fill(_expected, units, (_expected.Length * 8) - units);
        ulong place = run.Descriptors[group].BlockBitmap.Value;
        if (run.Descriptors[group].Is(GroupFlags.BlockUninit) && HasForeignUnits(units, first))
        {
            run.Descriptors[group].Flags &= ~GroupFlags.BlockUninit;
            Wrong(group, "blocks are in use, and the group is marked uninitialised");
        }

        if (!run.Descriptors[group].Is(GroupFlags.BlockUninit))
        {
            await MendBitmapAsync("block bitmap", group, place, stored).ConfigureAwait(false);
            MendChecksum(ref run.Descriptors[group].BlockBitmapChecksum, run.Geometry.ClustersPerGroup, "block bitmap", group);
        }

        MendCount(ref run.Descriptors[group].FreeClusters, (uint)units - used, "bg_free_blocks_count", group);
        _freeUnits += (uint)units - used;
    }

    private async ValueTask MendInodesAsync(uint group, AlignedBuffer stored)
    {
        int count = (int)run.Geometry.InodesPerGroup;
        uint directories = FillInodes(group, count);
        uint used = GroupBitmaps.CountBits(_expected.AsSpan(0, (count + 7) / 8));
        UnitMap.Fill(_expected, count, (_expected.Length * 8) - count);
        if (run.Descriptors[group].Is(GroupFlags.InodeUninit) && used > 0)
        {
            run.Descriptors[group].Flags &= ~GroupFlags.InodeUninit;
            Wrong(group, $"{used} inodes are in use, and the group is marked uninitialised");
        }

        if (!run.Descriptors[group].Is(GroupFlags.InodeUninit))
        {
            await MendBitmapAsync("inode bitmap", group, run.Descriptors[group].InodeBitmap.Value, stored).ConfigureAwait(false);
            MendChecksum(ref run.Descriptors[group].InodeBitmapChecksum, run.Geometry.InodesPerGroup, "inode bitmap", group);
        }

        MendCount(ref run.Descriptors[group].FreeInodes, (uint)count - used, "bg_free_inodes_count", group);
        MendCount(ref run.Descriptors[group].UsedDirectories, directories, "bg_used_dirs_count", group);
        _freeInodes += (uint)count - used;
    }

    private uint FillInodes(uint group, int count)
    {
        _expected.AsSpan().Clear();
        uint directories = 0;
        for (int i = 0; i < count && !run.Inodes.IsGroupEmpty(group); i++)
        {
            InodeTraits traits = run.Inodes.TraitsOf((group * (uint)count) + (uint)i + 1);
            if ((traits & InodeTraits.InUse) != 0)
            {
                _expected[i >> 3] |= (byte)(1 << (i & 7));
                directories += (DirectoryFileType)(traits & InodeTraits.KindMask) == DirectoryFileType.Directory ? 1u : 0u;
            }
        }

        return directories;
    }

    private async ValueTask MendBitmapAsync(string structure, uint group, ulong place, AlignedBuffer stored)
    {
        if (!run.Contains(place))
        {
            return;
        }

        bool isRead = await run.Store.ReadAsync(place, 1, stored.Segment).ConfigureAwait(false);
        if (!isRead || !stored.GetSpan().SequenceEqual(_expected))
        {
            repair.Note(structure, $"group {group}", "it does not say what is in use");
            await repair.WriteAsync(place, _expected).ConfigureAwait(false);
        }
    }

    private void MendChecksum(ref uint stored, uint bits, string structure, uint group)
    {
        if (!run.GroupChecksum.CoversBitmaps)
        {
            return;
        }

        uint expected = run.GroupChecksum.ComputeBitmap(_expected, bits, run.Geometry.DescriptorSize);
        if (stored != expected)
        {
            Wrong(group, $"the checksum of its {structure} does not match");
            stored = expected;
        }
    }

    private void MendCount(ref uint stored, uint expected, string field, uint group)
    {
        if (stored != expected)
        {
            Wrong(group, $"{field} is {stored}, expected {expected}");
            stored = expected;
        }
    }

    private void Wrong(uint group, string found)
    {
        repair.Note("group descriptor", $"group {group}", found);
        _isDescriptorWrong = true;
    }

    private bool HasForeignUnits(int units, ulong first)
    {
        for (int i = 0; i < units; i++)
        {
            ulong block = ((first + (uint)i) << run.Geometry.LogClusterRatio) + run.Geometry.FirstDataBlock.Value;
            if ((_expected[i >> 3] >> (i & 7) & 1) != 0 && !run.Metadata.Intersects(block, (ulong)run.Geometry.ClusterRatio))
            {
                return true;
            }
        }

        return false;
    }

    private async ValueTask MendTotalsAsync()
    {
        Superblock s = run.Superblock;
        ulong free = _freeUnits << run.Geometry.LogClusterRatio;
        if (s.FreeBlockCount != free || s.FreeInodeCount != (uint)_freeInodes)
        {
            repair.Note("superblock", "offset 1024", $"it counts {s.FreeBlockCount} free blocks and {s.FreeInodeCount} free inodes, expected {free} and {_freeInodes}");
            (s.FreeBlockCount, s.FreeInodeCount) = (free, (uint)_freeInodes);
        }

        // Whoever repairs has looked at everything: the volume is sound from here on.
        if (repair.HasChanged || (s.State & (VolumeStates.Clean | VolumeStates.HasErrors)) != VolumeStates.Clean)
        {
            s.State = (s.State | VolumeStates.Clean) & ~VolumeStates.HasErrors;
            s.LastChecked = repair.Now;
            s.MountCount = 0;
            await repair.WriteSuperblockAsync().ConfigureAwait(false);
        }
    }
}

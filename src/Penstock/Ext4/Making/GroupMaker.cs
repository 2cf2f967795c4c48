using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>
/// Writes bitmaps, inode tables and descriptors, group after group, once all blocks of the first files are taken. Memory does not grow with the volume: one
/// flex group and one batch of descriptors are in hand at a time.
/// </summary>
internal sealed class GroupMaker
{
    private readonly MakingContext context;
    private readonly VolumeGeometry geometry;
    private readonly FlexLayout layout;
    private readonly bool leavesTables;
    private readonly uint lastUsedInode;
    private readonly byte[] bitmap;
    private readonly byte[] descriptors;
    private readonly List<VolumeBlock> copies = [];
    private uint firstInBatch;
    private int taken;

    /// <param name="context">The volume.</param>
    /// <param name="leavesTables">Whether unused inode tables may stay as they are where descriptors have checksums.</param>
    public GroupMaker(MakingContext context, bool leavesTables)
    {
        this.context = context;
        lastUsedInode = context.LastUsedInode;
        this.leavesTables = leavesTables && context.GroupChecksum.IsUsed;
        geometry = context.Geometry;
        layout = new FlexLayout(geometry);
        bitmap = new byte[geometry.BlockSize];
        descriptors = new byte[MakingWriter.MaxLength];
        for (uint group = 0; group < geometry.GroupCount; group++)
        {
            if (geometry.HasSuperblock(new BlockGroup(group)))
            {
                copies.Add(group == 0 ? geometry.SuperblockBlock : geometry.FirstBlockOf(new BlockGroup(group)));
            }
        }
    }

    /// <summary>Where the superblock's copies go, the primary first.</summary>
    public IReadOnlyList<VolumeBlock> Copies => copies;

    public ulong FreeClusters { get; private set; }

    public ulong FreeInodes { get; private set; }

    /// <summary>Clusters of all that is in use before the first file.</summary>
    public ulong OverheadClusters { get; private set; }

    public async ValueTask MakeAsync()
    {
        for (uint flex = 0; flex < FlexLayout.CountOf(geometry); flex++)
        {
            layout.MoveTo(flex);
            await ZeroTablesAsync().ConfigureAwait(false);
            for (int i = 0; i < layout.Count; i++)
            {
                await MakeGroupAsync(new BlockGroup(layout.FirstGroup + (uint)i), layout[i]).ConfigureAwait(false);
            }
        }

        await WriteDescriptorsAsync().ConfigureAwait(false);
    }

    private async ValueTask MakeGroupAsync(BlockGroup group, GroupPlace place)
    {
        uint usedInodes = UsedInodesIn(group);
        MarkBlocks(group, out uint usedClusters, out bool isOwnOnly);
        var descriptor = new GroupDescriptor
        {
            BlockBitmap = place.BlockBitmap,
            InodeBitmap = place.InodeBitmap,
            InodeTable = place.InodeTable,
            FreeClusters = geometry.ClustersIn(group) - usedClusters,
            FreeInodes = geometry.InodesPerGroup - usedInodes,
            UsedDirectories = CountDirectories(group, usedInodes),
        };
        bool canLeave = context.GroupChecksum.IsUsed;
        if (canLeave)
        {
            descriptor.UnusedInodes = geometry.InodesPerGroup - usedInodes;
            descriptor.Flags |= leavesTables ? GroupFlags.None : GroupFlags.InodeZeroed;
            descriptor.Flags |= usedInodes == 0 ? GroupFlags.InodeUninit : GroupFlags.None;

            // The last group's bitmap ends in padding, which only a written bitmap can have.
            descriptor.Flags |= isOwnOnly && group.Value + 1 < geometry.GroupCount ? GroupFlags.BlockUninit : GroupFlags.None;
        }

        if (!descriptor.Is(GroupFlags.BlockUninit))
        {
            descriptor.BlockBitmapChecksum = ChecksumOf(geometry.ClustersPerGroup);
            await context.WriteBlockAsync(place.BlockBitmap, bitmap).ConfigureAwait(false);
        }

        if (!descriptor.Is(GroupFlags.InodeUninit))
        {
            MarkInodes(usedInodes);
            descriptor.InodeBitmapChecksum = ChecksumOf(geometry.InodesPerGroup);
            await context.WriteBlockAsync(place.InodeBitmap, bitmap).ConfigureAwait(false);
            await WriteInodesAsync(group, place, usedInodes).ConfigureAwait(false);
        }

        FreeClusters += descriptor.FreeClusters;
        FreeInodes += descriptor.FreeInodes;
        await AddDescriptorAsync(group, descriptor).ConfigureAwait(false);
    }

    private uint ChecksumOf(uint bits) =>
        context.GroupChecksum.CoversBitmaps ? context.GroupChecksum.ComputeBitmap(bitmap, bits, geometry.DescriptorSize) : 0;

    /// <summary>Fills the bitmap and tells whether a reader could have guessed it: nothing but the group's own structures is in it.</summary>
    private void MarkBlocks(BlockGroup group, out uint used, out bool isOwnOnly)
    {
        uint clusters = geometry.ClustersIn(group);
        uint head = geometry.HeadBlocksOf(group);
        GroupPlace place = layout[(int)(group.Value - layout.FirstGroup)];
        ulong first = geometry.FirstBlockOf(group).Value;
        ulong end = first + geometry.BlocksIn(group);
        bitmap.AsSpan().Clear();
        isOwnOnly = true;
        bool isEmpty = true;
        foreach (SpaceRun run in layout.Runs)
        {
            if (MarkRun(run, first, end))
            {
                isEmpty = false;
                isOwnOnly &= run.First.Value < first + head || run.First == place.BlockBitmap || run.First == place.InodeBitmap || run.First == place.InodeTable;
                isOwnOnly &= run.First.Value >= first && run.End.Value <= end;
            }
        }

        uint overhead = isEmpty ? 0 : BitRange.CountSet(bitmap, clusters);
        OverheadClusters += overhead;
        bool hasFiles = false;
        foreach (SpaceRun run in context.Space.Taken)
        {
            hasFiles |= MarkRun(run, first, end);
        }

        // Most groups of a large volume are empty: they cost no more than clearing the bitmap.
        isOwnOnly &= !hasFiles;
        used = hasFiles ? BitRange.CountSet(bitmap, clusters) : overhead;
        BitRange.Set(bitmap, clusters, ((uint)geometry.BlockSize * 8) - clusters);
    }

    private bool MarkRun(SpaceRun run, ulong first, ulong end)
    {
        if (run.First.Value >= end || run.End.Value <= first)
        {
            return false;
        }

        ulong from = (Math.Max(run.First.Value, first) - first) >> geometry.LogClusterRatio;
        ulong to = (Math.Min(run.End.Value, end) - first + (uint)geometry.ClusterRatio - 1) >> geometry.LogClusterRatio;
        BitRange.Set(bitmap, (uint)from, (uint)(to - from));
        return true;
    }

    private void MarkInodes(uint used)
    {
        bitmap.AsSpan().Clear();
        BitRange.Set(bitmap, 0, used);
        BitRange.Set(bitmap, geometry.InodesPerGroup, ((uint)geometry.BlockSize * 8) - geometry.InodesPerGroup);
    }

    private uint UsedInodesIn(BlockGroup group)
    {
        ulong before = (ulong)group.Value * geometry.InodesPerGroup;
        return lastUsedInode <= before ? 0 : (uint)Math.Min(lastUsedInode - before, geometry.InodesPerGroup);
    }

    private uint CountDirectories(BlockGroup group, uint usedInodes)
    {
        uint count = 0;
        for (uint i = 0; i < usedInodes; i++)
        {
            uint number = (uint)geometry.InodeAt(group, i).Value;
            count += context.Files.TryGetValue(number, out MadeFile? file) && file.Inode.IsDirectory ? 1u : 0;
        }

        return count;
    }

    private async ValueTask ZeroTablesAsync()
    {
        if (leavesTables)
        {
            return;
        }

        for (int i = 0; i < layout.Count;)
        {
            // Tables of one flex group mostly lie in one run: one request for all of them.
            int first = i;
            VolumeBlock end = layout[i].InodeTable + geometry.InodeTableBlocks;
            for (i++; i < layout.Count && layout[i].InodeTable == end; i++)
            {
                end += geometry.InodeTableBlocks;
            }

            long offset = context.OffsetOf(layout[first].InodeTable);
            await context.Writer.ZeroAsync(offset, context.OffsetOf(end) - offset).ConfigureAwait(false);
        }
    }

    private async ValueTask WriteInodesAsync(BlockGroup group, GroupPlace place, uint used)
    {
        byte[] block = new byte[geometry.BlockSize];
        for (uint first = 0; first < used; first += geometry.InodesPerBlock)
        {
            block.AsSpan().Clear();
            for (uint i = first; i < Math.Min(used, first + geometry.InodesPerBlock); i++)
            {
                InodeNumber number = geometry.InodeAt(group, i);
                InodeRecord inode = context.Files.TryGetValue((uint)number.Value, out MadeFile? file)
                    ? file.Inode
                    : InodeRecord.Create(geometry.InodeSize, extraSize: 0);
                inode.WriteTo(block.AsSpan((int)(i - first) * geometry.InodeSize), number, context.Checksum);
            }

            await context.WriteBlockAsync(place.InodeTable + (first / geometry.InodesPerBlock), block).ConfigureAwait(false);
        }
    }

    private async ValueTask AddDescriptorAsync(BlockGroup group, GroupDescriptor descriptor)
    {
        descriptor.WriteTo(descriptors.AsSpan(taken, geometry.DescriptorSize), group, context.GroupChecksum);
        taken += geometry.DescriptorSize;
        if (taken == descriptors.Length)
        {
            await WriteDescriptorsAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Writes the batch in hand to the primary place and to each backup.</summary>
    private async ValueTask WriteDescriptorsAsync()
    {
        int blockSize = geometry.BlockSize;
        int blocks = (taken + blockSize - 1) / blockSize;
        bool isMeta = context.Superblock.Has(IncompatFeatures.MetaBg);
        for (int i = 0; isMeta && i < blocks; i++)
        {
            await WriteMetaDescriptorsAsync(firstInBatch + (uint)i, descriptors.AsMemory(i * blockSize, blockSize)).ConfigureAwait(false);
        }

        foreach (VolumeBlock copy in copies)
        {
            if (!isMeta && blocks > 0)
            {
                await context.WriteBlockAsync(copy + 1u + firstInBatch, descriptors.AsMemory(0, blocks * blockSize)).ConfigureAwait(false);
            }
        }

        firstInBatch += (uint)blocks;
        taken = 0;
        descriptors.AsSpan().Clear();
    }

    // With meta_bg each block of descriptors lies in the first, second and last of the groups it describes.
    private async ValueTask WriteMetaDescriptorsAsync(uint index, ReadOnlyMemory<byte> block)
    {
        await context.WriteBlockAsync(geometry.DescriptorBlock(index), block).ConfigureAwait(false);
        uint first = index * geometry.DescriptorsPerBlock;
        foreach (uint number in (uint[])[first + 1, first + geometry.DescriptorsPerBlock - 1])
        {
            var group = new BlockGroup(number);
            if (number < geometry.GroupCount)
            {
                VolumeBlock start = geometry.FirstBlockOf(group);
                await context.WriteBlockAsync(geometry.HasSuperblock(group) ? start + 1u : start, block).ConfigureAwait(false);
            }
        }
    }
}

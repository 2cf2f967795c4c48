using Penstock.Ext4.Format;
using Penstock.Mapping;
using Penstock.Testing.Devices;

namespace Penstock.Testing.Ext4;

/// <summary>What an empty volume for tests looks like. Groups can be much smaller than mke2fs makes them, so that few blocks fill many.</summary>
internal sealed record EmptyVolume
{
    public int BlockSize { get; init; } = 1024;

    public uint ClusterRatio { get; init; } = 1;

    public uint BlocksPerGroup { get; init; } = 1024;

    public ulong Blocks { get; init; } = 8 * 1024;

    public uint InodesPerGroup { get; init; } = 64;

    public int InodeSize { get; init; } = 256;

    public uint LogGroupsPerFlex { get; init; }

    public bool HasChecksums { get; init; } = true;

    public bool Is64Bit { get; init; } = true;

    public ulong ReservedBlocks { get; init; }

    /// <summary>Whether the bitmaps of groups without files are left unwritten, as mke2fs does with uninit_bg.</summary>
    public bool IsLazy { get; init; }

    /// <summary>Whether whoever opens it discards what is freed.</summary>
    public bool Discards { get; init; }

    public ulong FirstDataBlock => BlockSize == 1024 && ClusterRatio == 1 ? 1u : 0u;

    /// <summary>Writes the volume to the device, behind its back.</summary>
    public Superblock WriteTo(SimulatedDevice device)
    {
        Superblock superblock = MakeSuperblock();
        var geometry = new VolumeGeometry(superblock);
        var checksum = new GroupChecksum(superblock);
        ulong free = 0;
        byte[] descriptors = new byte[geometry.DescriptorBlockCount * (uint)BlockSize];
        for (uint number = 0; number < geometry.GroupCount; number++)
        {
            GroupDescriptor descriptor = WriteGroup(device, geometry, checksum, new BlockGroup(number));
            descriptor.WriteTo(
                descriptors.AsSpan((int)number * geometry.DescriptorSize, geometry.DescriptorSize), new BlockGroup(number), checksum);
            free += descriptor.FreeClusters;
        }

        superblock.FreeBlockCount = free << geometry.LogClusterRatio;
        superblock.FreeInodeCount = geometry.InodeCount - geometry.FirstInode + 1;
        byte[] raw = new byte[Superblock.Size];
        superblock.WriteTo(raw);
        device.Poke(Superblock.VolumeOffset, raw);
        for (uint i = 0; i < geometry.DescriptorBlockCount; i++)
        {
            device.Poke((long)geometry.DescriptorBlock(i).Value * BlockSize, descriptors.AsSpan((int)i * BlockSize, BlockSize));
        }

        return superblock;
    }

    public Superblock MakeSuperblock()
    {
        Superblock made = Superblock.Create();
        made.Features = new FeatureSet(
            CompatFeatures.None,
            IncompatFeatures.FileType | IncompatFeatures.Extents | (Is64Bit ? IncompatFeatures.Is64Bit : 0)
                | (LogGroupsPerFlex > 0 ? IncompatFeatures.FlexBg : 0),
            ReadOnlyCompatFeatures.SparseSuper | ReadOnlyCompatFeatures.LargeFile | ReadOnlyCompatFeatures.HugeFile
                | (HasChecksums ? ReadOnlyCompatFeatures.MetadataCsum : 0) | (ClusterRatio > 1 ? ReadOnlyCompatFeatures.BigAlloc : 0));
        made.LogBlockSize = (uint)System.Numerics.BitOperations.Log2((uint)BlockSize / 1024);
        made.LogClusterSize = made.LogBlockSize + (uint)System.Numerics.BitOperations.Log2(ClusterRatio);
        made.FirstDataBlock = (uint)FirstDataBlock;
        made.BlockCount = Blocks + FirstDataBlock;
        made.ReservedBlockCount = ReservedBlocks;
        made.BlocksPerGroup = BlocksPerGroup;
        made.ClustersPerGroup = BlocksPerGroup / ClusterRatio;
        made.InodesPerGroup = InodesPerGroup;
        made.InodeCount = (uint)((Blocks + BlocksPerGroup - 1) / BlocksPerGroup) * InodesPerGroup;
        made.FirstInode = 11;
        made.InodeSize = InodeSize;
        made.DescriptorSize = Is64Bit ? 64 : 0;
        made.LogGroupsPerFlex = (byte)LogGroupsPerFlex;
        made.ChecksumType = Superblock.Crc32CChecksumType;
        made.WantExtraInodeSize = 32;
        made.MinExtraInodeSize = 32;
        made.State = VolumeStates.Clean;
        made.Uuid = Guid.Parse("782988eb-980c-4a4c-8636-0ea7d2d6ca65");
        return made;
    }

    private GroupDescriptor WriteGroup(SimulatedDevice device, VolumeGeometry geometry, in GroupChecksum checksum, BlockGroup group)
    {
        // With flex_bg the bitmaps and tables of all companions lie in the first of them.
        uint first = group.Value / geometry.GroupsPerFlex * geometry.GroupsPerFlex;
        uint place = group.Value - first;
        VolumeBlock start = geometry.FirstBlockOf(new BlockGroup(first)) + geometry.HeadBlocksOf(new BlockGroup(first));
        uint companions = Math.Min(geometry.GroupsPerFlex, geometry.GroupCount - first);
        var descriptor = new GroupDescriptor
        {
            BlockBitmap = start + place,
            InodeBitmap = start + companions + place,
            InodeTable = start + (2 * companions) + (place * geometry.InodeTableBlocks),
            FreeInodes = group.Value == 0 ? geometry.InodesPerGroup - (geometry.FirstInode - 1) : geometry.InodesPerGroup,
            Flags = GroupFlags.InodeZeroed,
        };
        bool hasTables = place == 0;
        byte[] bitmap = MakeBlockBitmap(geometry, group, hasTables ? companions : 0);
        uint clusters = geometry.ClustersIn(group);
        descriptor.FreeClusters = (uint)Enumerable.Range(0, (int)clusters).Count(i => (bitmap[i / 8] & (1 << (i % 8))) == 0);
        bool isLazy = IsLazy && group.Value > 0 && checksum.IsUsed;
        if (isLazy)
        {
            descriptor.Flags |= hasTables && companions > 1 ? GroupFlags.InodeUninit : GroupFlags.BlockUninit | GroupFlags.InodeUninit;
            descriptor.Flags &= ~GroupFlags.InodeZeroed;
            descriptor.UnusedInodes = geometry.InodesPerGroup;
        }

        byte[] inodes = MakeInodeBitmap(geometry, group);
        if (checksum.CoversBitmaps)
        {
            descriptor.BlockBitmapChecksum = checksum.ComputeBitmap(bitmap, geometry.ClustersPerGroup, geometry.DescriptorSize);
            descriptor.InodeBitmapChecksum = checksum.ComputeBitmap(inodes, geometry.InodesPerGroup, geometry.DescriptorSize);
        }

        // What a lazy mke2fs leaves unwritten may hold anything.
        byte[] junk = Enumerable.Repeat((byte)0xA5, BlockSize).ToArray();
        device.Poke((long)descriptor.BlockBitmap.Value * BlockSize, descriptor.Is(GroupFlags.BlockUninit) ? junk : bitmap);
        device.Poke((long)descriptor.InodeBitmap.Value * BlockSize, descriptor.Is(GroupFlags.InodeUninit) ? junk : inodes);
        for (uint i = 0; isLazy && i < geometry.InodeTableBlocks; i++)
        {
            device.Poke((long)(descriptor.InodeTable.Value + i) * BlockSize, junk);
        }

        return descriptor;
    }

    private byte[] MakeBlockBitmap(VolumeGeometry geometry, BlockGroup group, uint tables)
    {
        byte[] bitmap = new byte[BlockSize];
        uint head = geometry.HeadBlocksOf(group) + (tables * (2 + geometry.InodeTableBlocks));
        Set(bitmap, 0, (head + ClusterRatio - 1) / ClusterRatio);
        Set(bitmap, geometry.ClustersIn(group), (uint)BlockSize * 8);
        return bitmap;
    }

    private byte[] MakeInodeBitmap(VolumeGeometry geometry, BlockGroup group)
    {
        byte[] bitmap = new byte[BlockSize];
        Set(bitmap, 0, group.Value == 0 ? geometry.FirstInode - 1 : 0);
        Set(bitmap, geometry.InodesPerGroup, (uint)BlockSize * 8);
        return bitmap;
    }

    private static void Set(byte[] bitmap, uint from, uint to)
    {
        for (uint i = from; i < to; i++)
        {
            bitmap[i / 8] |= (byte)(1 << (int)(i % 8));
        }
    }
}

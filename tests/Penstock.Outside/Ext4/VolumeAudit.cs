using Penstock.Ext4.Format;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>
/// Reads every structure of an image with the parsers of Ext4.Format, straight from the file: what they check (checksums above all) must
/// hold on volumes that others made. It stays naive on purpose, and counts what it met so that a test sees that it met it.
/// </summary>
internal sealed class VolumeAudit : IDisposable
{
    private readonly FileStream file;
    private readonly GroupChecksum groupChecksum;
    private readonly MetadataChecksum checksum;
    private readonly HashSet<ulong> attributeBlocks = [];

    public VolumeAudit(string path)
    {
        // .NET takes an advisory lock here: a device just closed must not hold its own any more.
        file = File.OpenRead(path);
        byte[] raw = new byte[Superblock.Size];
        RandomAccess.Read(file.SafeFileHandle, raw, Superblock.VolumeOffset);
        Superblock = Superblock.Parse(raw);
        SuperblockValidation.CheckAgainstDevice(Superblock, file.Length);
        Geometry = new VolumeGeometry(Superblock);
        groupChecksum = new GroupChecksum(Superblock);
        checksum = new MetadataChecksum(Superblock);
    }

    public Superblock Superblock { get; }

    public VolumeGeometry Geometry { get; }

    public int Inodes { get; private set; }

    public int ExtentBlocks { get; private set; }

    public int IndirectBlocks { get; private set; }

    public int DirectoryEntries { get; private set; }

    public int IndexBlocks { get; private set; }

    public int Attributes { get; private set; }

    public int InlineInodes { get; private set; }

    public void Dispose() => file.Dispose();

    public byte[] ReadBlock(VolumeBlock block)
    {
        byte[] raw = new byte[Geometry.BlockSize];
        Assert.Equal(raw.Length, RandomAccess.Read(file.SafeFileHandle, raw, (long)block.Value * raw.Length));
        return raw;
    }

    public GroupDescriptor ReadDescriptor(BlockGroup group)
    {
        (VolumeBlock block, int offset) = Geometry.LocateDescriptor(group);
        return GroupDescriptor.Parse(ReadBlock(block).AsSpan(offset, Geometry.DescriptorSize), group, Geometry, groupChecksum);
    }

    public InodeRecord ReadInode(InodeNumber number)
    {
        InodeLocation location = Geometry.Locate(number);
        byte[] block = ReadBlock(ReadDescriptor(location.Group).InodeTable + location.TableBlock);
        return InodeRecord.Parse(block.AsSpan(location.OffsetInBlock, Geometry.InodeSize), number, Geometry, checksum);
    }

    public VolumeAudit Run()
    {
        for (uint group = 0; group < Geometry.GroupCount; group++)
        {
            AuditGroup(new BlockGroup(group));
        }

        return this;
    }

    /// <summary>Every block of an inode's data, in the order of the file; 0 stands for a hole inside its size.</summary>
    public List<(FileBlock First, ulong Count, VolumeBlock Start)> MapOf(InodeNumber number, InodeRecord inode)
    {
        var runs = new List<(FileBlock, ulong, VolumeBlock)>();
        if (inode.Is(InodeFlags.Extents))
        {
            ExtentNode.CheckRoot(inode.BlockField, number, Geometry);
            WalkExtents(inode.BlockField.ToArray(), ExtentNode.Root, number, inode, runs);
        }
        else
        {
            for (uint slot = 0; slot < IndirectMap.SlotCount; slot++)
            {
                ulong first = IndirectMap.RangeOf((int)slot, Geometry.BlockSize).First.Value;
                WalkIndirect(IndirectMap.ReadPointer(inode.BlockField, slot), Math.Max(0, (int)slot - 11), first, number, runs);
            }
        }

        return runs;
    }

    private void AuditGroup(BlockGroup group)
    {
        GroupDescriptor descriptor = ReadDescriptor(group);
        bool isInodeUninit = groupChecksum.IsUsed && descriptor.Is(GroupFlags.InodeUninit);
        bool isBlockUninit = groupChecksum.IsUsed && descriptor.Is(GroupFlags.BlockUninit);
        if (!isBlockUninit)
        {
            AuditBlockBitmap(group, descriptor);
        }

        if (isInodeUninit)
        {
            Assert.Equal(Geometry.InodesPerGroup, descriptor.FreeInodes);
            return;
        }

        byte[] bitmap = ReadBlock(descriptor.InodeBitmap);
        if (groupChecksum.CoversBitmaps)
        {
            Assert.Equal(groupChecksum.ComputeBitmap(bitmap, Geometry.InodesPerGroup, Geometry.DescriptorSize), descriptor.InodeBitmapChecksum);
        }

        for (uint index = 0; index < Geometry.InodesPerGroup; index++)
        {
            InodeNumber number = Geometry.InodeAt(group, index);
            bool isUsed = (bitmap[index / 8] & (1 << (int)(index % 8))) != 0;
            if (isUsed && (number.Value == 2 || number.Value >= Geometry.FirstInode))
            {
                AuditInode(number);
            }
        }
    }

    private void AuditBlockBitmap(BlockGroup group, GroupDescriptor descriptor)
    {
        byte[] bitmap = ReadBlock(descriptor.BlockBitmap);
        if (groupChecksum.CoversBitmaps)
        {
            Assert.Equal(groupChecksum.ComputeBitmap(bitmap, Geometry.ClustersPerGroup, Geometry.DescriptorSize), descriptor.BlockBitmapChecksum);
        }

        uint free = 0;
        for (uint cluster = 0; cluster < Geometry.ClustersIn(group); cluster++)
        {
            free += (bitmap[cluster / 8] & (1 << (int)(cluster % 8))) == 0 ? 1u : 0;
        }

        Assert.Equal(descriptor.FreeClusters, free);
    }

    private void AuditInode(InodeNumber number)
    {
        Inodes++;
        InodeRecord inode = ReadInode(number);
        AuditAttributes(number, inode);
        if (inode.Is(InodeFlags.InlineContents))
        {
            InlineInodes++;
            return;
        }

        bool hasMap = inode.IsRegular || inode.IsDirectory || (inode.IsSymbolicLink && inode.Size >= InodeRecord.BlockFieldSize);
        if (!hasMap || inode.Is(InodeFlags.ExtendedAttributeInode))
        {
            return;
        }

        List<(FileBlock First, ulong Count, VolumeBlock Start)> runs = MapOf(number, inode);
        if (inode.IsDirectory)
        {
            AuditDirectory(number, inode, runs);
        }
    }

    private void AuditDirectory(InodeNumber number, InodeRecord inode, List<(FileBlock First, ulong Count, VolumeBlock Start)> runs)
    {
        var format = new DirectoryFormat(Superblock, inode.Flags);
        uint seed = checksum.SeedOf(number, inode.Generation);
        bool isHashed = inode.Is(InodeFlags.Index);
        var index = new HashSet<ulong>();
        foreach ((FileBlock first, ulong count, VolumeBlock start) in runs)
        {
            for (ulong i = 0; i < count; i++)
            {
                byte[] block = ReadBlock(start + i);
                var location = new InodeBlockLocation(number, start + i);
                if (isHashed && first.Value + i == 0)
                {
                    DxRoot root = DxRoot.Parse(block, format, Superblock.Has(IncompatFeatures.LargeDir), location, seed);
                    IndexBlocks++;
                    AddIndexBlocks(block, DxRoot.EntriesOffset, root.IndirectLevels, index);
                }
                else if (index.Contains(first.Value + i))
                {
                    DxNode.CheckBlock(block, format.HasChecksum, location, seed);
                    IndexBlocks++;
                }
                else
                {
                    DirectoryBlock.Check(block, format, location, seed);
                    foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(block, format.UsableBytes(block.Length)))
                    {
                        DirectoryEntries += entry.IsUsed ? 1 : 0;
                    }
                }
            }
        }
    }

    private static void AddIndexBlocks(byte[] block, int entriesOffset, int levels, HashSet<ulong> index)
    {
        for (int i = 0; levels > 0 && i < DxNode.ReadCount(block, entriesOffset); i++)
        {
            index.Add(DxNode.Read(block, entriesOffset, i).Block);
        }
    }

    private void AuditAttributes(InodeNumber number, InodeRecord inode)
    {
        Span<byte> area = inode.AttributeArea;
        if (AttributeArea.IsPresentInInode(area))
        {
            Span<byte> entries = AttributeArea.WithoutHeader(area);
            AttributeArea.Check(entries, 0, Geometry.InodeCount, number);
            foreach (AttributeEntry entry in AttributeArea.EntriesOf(entries, 0))
            {
                Attributes++;
                Assert.True(entry.Hash == 0 || entry.HasValueInode || entry.Hash == AttributeEntry.ComputeHash(entry.NameIn(entries), AttributeArea.ValueIn(entries, entry)));
            }
        }

        VolumeBlock block = inode.AttributeBlock;
        if (block.Value != 0 && attributeBlocks.Add(block.Value))
        {
            byte[] raw = ReadBlock(block);
            AttributeBlockHeader header = AttributeBlockHeader.Parse(raw, block, Geometry.InodeCount, checksum);

            // mke2fs leaves h_hash at 0: such a block is never shared.
            Assert.True(header.Hash == 0 || header.Hash == AttributeBlockHeader.ComputeHash(raw), $"h_hash of {block}");
            foreach (AttributeEntry entry in AttributeArea.EntriesOf(raw, AttributeBlockHeader.Size))
            {
                AuditBlockAttribute(raw, entry);
            }
        }
    }

    private void AuditBlockAttribute(byte[] raw, AttributeEntry entry)
    {
        Attributes++;
        if (!entry.HasValueInode)
        {
            Assert.Equal(entry.Hash, AttributeEntry.ComputeHash(entry.NameIn(raw), AttributeArea.ValueIn(raw, entry)));
            return;
        }

        InodeRecord holder = ReadInode(new InodeNumber(entry.ValueInode));
        Assert.True(holder.Is(InodeFlags.ExtendedAttributeInode));
        byte[] value = ReadAll(new InodeNumber(entry.ValueInode), holder);
        uint hash = AttributeValueInode.ComputeHash(value, checksum.Seed);
        Assert.Equal(hash, AttributeValueInode.ReadHash(holder));
        Assert.Equal(entry.Hash, AttributeEntry.ComputeHash(entry.NameIn(raw), hash));
    }

    private byte[] ReadAll(InodeNumber number, InodeRecord inode)
    {
        byte[] all = new byte[((int)inode.Size + Geometry.BlockSize - 1) / Geometry.BlockSize * Geometry.BlockSize];
        foreach ((FileBlock first, ulong count, VolumeBlock start) in MapOf(number, inode))
        {
            for (ulong i = 0; i < count; i++)
            {
                ReadBlock(start + i).CopyTo(all, (int)(first.Value + i) * Geometry.BlockSize);
            }
        }

        return all[..(int)inode.Size];
    }

    private void WalkExtents(byte[] node, ExtentNode bounds, InodeNumber number, InodeRecord inode, List<(FileBlock, ulong, VolumeBlock)> runs)
    {
        ExtentHeader header = ExtentHeader.Read(node);
        for (int i = 0; i < header.Entries; i++)
        {
            if (header.IsLeaf)
            {
                ExtentLeaf leaf = ExtentLeaf.Read(node, i);
                runs.Add((new FileBlock(leaf.First), leaf.Length, leaf.Start));
                continue;
            }

            ExtentBlocks++;
            ExtentIndex index = ExtentIndex.Read(node, i);
            ExtentNode child = bounds.Child(node, i);
            byte[] block = ReadBlock(index.Child);
            child.CheckBlock(block, number, index.Child, Geometry, checksum.IsUsed, checksum.SeedOf(number, inode.Generation));
            WalkExtents(block, child, number, inode, runs);
        }
    }

    private void WalkIndirect(uint pointer, int level, ulong first, InodeNumber number, List<(FileBlock, ulong, VolumeBlock)> runs)
    {
        VolumeBlock block = IndirectMap.CheckPointer(pointer, 0, new InodeBlockLocation(number, default), Geometry);
        if (pointer == 0)
        {
            return;
        }

        if (level == 0)
        {
            runs.Add((new FileBlock(first), 1, block));
            return;
        }

        IndirectBlocks++;
        byte[] pointers = ReadBlock(block);
        ulong span = 1;
        for (int i = 1; i < level; i++)
        {
            span *= IndirectMap.PointersPerBlock(Geometry.BlockSize);
        }

        for (uint i = 0; i < IndirectMap.PointersPerBlock(Geometry.BlockSize); i++)
        {
            WalkIndirect(IndirectMap.ReadPointer(pointers, i), level - 1, first + (i * span), number, runs);
        }
    }
}

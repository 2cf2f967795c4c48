using System.Buffers.Binary;
using Penstock.Ext4.Format;

namespace Penstock.Outside.Fuzz;

/// <summary>
/// Where all metadata of a sound image is, found by reading its bytes by the format's documentation
/// (https://docs.kernel.org/filesystems/ext4/).
/// </summary>
internal sealed class MetadataMap
{
    private const int SuperblockOffset = 1024;
    private const uint JournalInode = 8;

    private readonly byte[] image;
    private readonly HashSet<uint> quotaInodes = [];
    private readonly uint orphanInode;

    public MetadataMap(byte[] image)
    {
        this.image = image;
        Superblock = Superblock.Parse(image.AsSpan(SuperblockOffset, 1024));
        Geometry = new VolumeGeometry(Superblock);
        Descriptors = new GroupChecksum(Superblock);
        Inodes = new MetadataChecksum(Superblock);
        ReadOnlySpan<byte> raw = image.AsSpan(SuperblockOffset, 1024);
        orphanInode = U32(raw, 0x280);
        quotaInodes.UnionWith([U32(raw, 0x240), U32(raw, 0x244), U32(raw, 0x26C)]);
        quotaInodes.Remove(0);
        Units.Add(new(MetadataKind.Superblock, SuperblockOffset, 1024, 0, 0));
        if (U64(raw, 0x168) is > 0 and var mmp && mmp < Geometry.BlockCount)
        {
            AddBlock(MetadataKind.MultipleMount, (uint)mmp, 0);
        }

        for (uint group = 0; group < Geometry.GroupCount; group++)
        {
            AddGroup(group);
        }
    }

    public Superblock Superblock { get; }

    public VolumeGeometry Geometry { get; }

    public GroupChecksum Descriptors { get; }

    public MetadataChecksum Inodes { get; }

    public List<MetadataUnit> Units { get; } = [];

    public MetadataUnit DescriptorOf(uint group)
    {
        (Mapping.VolumeBlock block, int offset) = Geometry.LocateDescriptor(new BlockGroup(group));
        return new(MetadataKind.Descriptor, ((int)block.Value * Geometry.BlockSize) + offset, Geometry.DescriptorSize, group, 0);
    }

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private ReadOnlySpan<byte> Block(uint number) => image.AsSpan((int)number * Geometry.BlockSize, Geometry.BlockSize);

    private void AddBlock(MetadataKind kind, uint block, uint seed, uint? number = null) =>
        Units.Add(new(kind, (int)block * Geometry.BlockSize, Geometry.BlockSize, number ?? block, seed));

    private void AddGroup(uint group)
    {
        MetadataUnit unit = DescriptorOf(group);
        Units.Add(unit);
        ReadOnlySpan<byte> raw = unit.In(image);
        var flags = (GroupFlags)U16(raw, 0x12);
        bool hasFlags = Descriptors.IsUsed;
        if (!hasFlags || (flags & GroupFlags.BlockUninit) == 0)
        {
            AddBlock(MetadataKind.BlockBitmap, U32(raw, 0x0), 0, group);
        }

        if (hasFlags && (flags & GroupFlags.InodeUninit) != 0)
        {
            return;
        }

        AddBlock(MetadataKind.InodeBitmap, U32(raw, 0x4), 0, group);
        int table = (int)U32(raw, 0x8) * Geometry.BlockSize;
        for (uint index = 0; index < Geometry.InodesPerGroup; index++)
        {
            int offset = table + ((int)index * Geometry.InodeSize);
            if (U16(image, offset) != 0)
            {
                AddInode((group * Geometry.InodesPerGroup) + index + 1, offset);
            }
        }
    }

    private void AddInode(uint number, int offset)
    {
        ReadOnlySpan<byte> raw = image.AsSpan(offset, Geometry.InodeSize);
        uint seed = Inodes.SeedOf(new(number), U32(raw, 0x64));
        Units.Add(new(MetadataKind.Inode, offset, Geometry.InodeSize, number, seed));
        if (U32(raw, 0x68) is > 0 and var attributes)
        {
            AddBlock(MetadataKind.AttributeBlock, attributes, 0);
        }

        var flags = (InodeFlags)U32(raw, 0x20);
        int kind = U16(raw, 0) & 0xF000;
        if ((flags & InodeFlags.InlineContents) != 0 || kind is not (0x8000 or 0x4000))
        {
            return;
        }

        List<uint> content = [];
        if ((flags & InodeFlags.Extents) != 0)
        {
            AddTree(raw.Slice(0x28, 60), seed, content);
        }
        else
        {
            AddIndirect(raw.Slice(0x28, 60), content);
        }

        AddContent(number, seed, kind == 0x4000, (flags & InodeFlags.Index) != 0, content);
    }

    private void AddTree(ReadOnlySpan<byte> node, uint seed, List<uint> content)
    {
        int depth = U16(node, 6);
        for (int i = 0; i < U16(node, 2); i++)
        {
            ReadOnlySpan<byte> entry = node.Slice(12 + (12 * i), 12);
            if (depth == 0)
            {
                for (uint b = 0; b < (U16(entry, 4) & 0x7FFF) && content.Count < 4000; b++)
                {
                    content.Add(U32(entry, 8) + b);
                }
            }
            else
            {
                AddBlock(MetadataKind.ExtentNode, U32(entry, 4), seed);
                AddTree(Block(U32(entry, 4)), seed, content);
            }
        }
    }

    private void AddIndirect(ReadOnlySpan<byte> field, List<uint> content)
    {
        for (int i = 0; i < 15; i++)
        {
            AddIndirect(U32(field, i * 4), Math.Max(0, i - 11), content);
        }
    }

    private void AddIndirect(uint block, int level, List<uint> content)
    {
        if (block == 0 || block >= Geometry.BlockCount)
        {
            return;
        }

        if (level == 0)
        {
            content.Add(block);
            return;
        }

        AddBlock(MetadataKind.IndirectBlock, block, 0);
        for (int i = 0; i < Geometry.BlockSize / 4; i++)
        {
            AddIndirect(U32(Block(block), i * 4), level - 1, content);
        }
    }

    private void AddContent(uint inode, uint seed, bool isDirectory, bool isIndexed, List<uint> content)
    {
        for (int i = 0; i < content.Count; i++)
        {
            uint block = content[i];
            if (isDirectory)
            {
                bool isNode = isIndexed && (i == 0 || (U32(Block(block), 0) == 0 && (U16(Block(block), 4) == Geometry.BlockSize || U16(Block(block), 4) == 0)));
                AddBlock(isNode ? MetadataKind.HashNode : MetadataKind.DirectoryBlock, block, seed, (uint)i);
            }
            else if (inode == orphanInode)
            {
                AddBlock(MetadataKind.OrphanBlock, block, seed);
            }
            else if (quotaInodes.Contains(inode))
            {
                AddBlock(MetadataKind.QuotaBlock, block, seed);
            }
            else if (inode == JournalInode && i == 0)
            {
                AddBlock(MetadataKind.JournalSuperblock, block, seed);
            }
        }
    }
}

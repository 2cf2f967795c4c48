using System.Buffers.Binary;
using Penstock.Ext4.Format;

namespace Penstock.Outside.Fuzz;

/// <summary>Makes the checksum of a piece of metadata right again, by the format's documentation, so that what is wrong in it is reached.</summary>
internal sealed class Checksums(MetadataMap map)
{
    private readonly bool has = map.Superblock.HasMetadataChecksums;

    public void MakeRight(byte[] image, MetadataUnit unit)
    {
        Span<byte> bytes = unit.In(image);
        switch (unit.Kind)
        {
            case MetadataKind.Descriptor when map.Descriptors.IsUsed:
                U16(bytes, 0x1E, map.Descriptors.Compute(bytes, new BlockGroup(unit.Number)));
                return;
            case MetadataKind.JournalSuperblock:
                U32(bytes, 0xFC, 0);
                BinaryPrimitives.WriteUInt32BigEndian(bytes[0xFC..], Crc32C.Append(Crc32C.Start, bytes[..1024]));
                return;
            case var _ when has:
                MakeRightWithCrc32C(image, unit, bytes);
                return;
        }
    }

    private void MakeRightWithCrc32C(byte[] image, MetadataUnit unit, Span<byte> bytes)
    {
        uint seed = map.Superblock.ChecksumSeed;
        switch (unit.Kind)
        {
            case MetadataKind.Superblock:
            case MetadataKind.MultipleMount:
                U32(bytes, 0x3FC, Crc32C.Append(unit.Kind == MetadataKind.Superblock ? Crc32C.Start : seed, bytes[..0x3FC]));
                break;
            case MetadataKind.BlockBitmap:
                StoreInDescriptor(image, unit.Number, 0x18, 0x38, Crc32C.Append(seed, bytes[..(int)(map.Geometry.ClustersPerGroup / 8)]));
                break;
            case MetadataKind.InodeBitmap:
                StoreInDescriptor(image, unit.Number, 0x1A, 0x3A, Crc32C.Append(seed, bytes[..(int)(map.Geometry.InodesPerGroup / 8)]));
                break;
            case MetadataKind.Inode:
                OfInode(unit, bytes);
                break;
            case MetadataKind.ExtentNode when 12 + (12 * U16(bytes, 4)) is var end && end + 4 <= bytes.Length:
                U32(bytes, end, Crc32C.Append(unit.Seed, bytes[..end]));
                break;
            case MetadataKind.DirectoryBlock:
                U32(bytes, bytes.Length - 4, Crc32C.Append(unit.Seed, bytes[..^12]));
                break;
            case MetadataKind.HashNode:
                OfHashNode(unit, bytes);
                break;
            case MetadataKind.AttributeBlock:
                U32(bytes, 0x10, 0);
                U32(bytes, 0x10, Crc32C.Append(Crc32C.Append(seed, (ulong)unit.Number), bytes));
                break;
            case MetadataKind.OrphanBlock:
                U32(bytes, bytes.Length - 4, Crc32C.Append(Crc32C.Append(unit.Seed, (ulong)unit.Number), bytes[..^8]));
                break;
        }
    }

    private void StoreInDescriptor(byte[] image, uint group, int low, int high, uint checksum)
    {
        MetadataUnit descriptor = map.DescriptorOf(group);
        Span<byte> bytes = descriptor.In(image);
        U16(bytes, low, (ushort)checksum);
        if (bytes.Length > high)
        {
            U16(bytes, high, (ushort)(checksum >> 16));
        }

        MakeRight(image, descriptor);
    }

    private void OfInode(MetadataUnit unit, Span<byte> bytes)
    {
        // The generation may be what was changed.
        uint seed = map.Inodes.SeedOf(new(unit.Number), BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x64..]));
        bool hasHigh = bytes.Length > 0x84 && U16(bytes, 0x80) >= 4;
        U16(bytes, 0x7C, 0);
        if (hasHigh)
        {
            U16(bytes, 0x82, 0);
        }

        uint checksum = Crc32C.Append(seed, bytes);
        U16(bytes, 0x7C, (ushort)checksum);
        if (hasHigh)
        {
            U16(bytes, 0x82, (ushort)(checksum >> 16));
        }
    }

    private static void OfHashNode(MetadataUnit unit, Span<byte> bytes)
    {
        int entries = unit.Number == 0 ? 0x20 : 8;
        int tail = entries + (8 * U16(bytes, entries));
        int end = entries + (8 * U16(bytes, entries + 2));
        if (tail + 8 <= bytes.Length && end <= bytes.Length)
        {
            uint checksum = Crc32C.Append(unit.Seed, bytes[..end]);
            U32(bytes, tail + 4, Crc32C.AppendZeros(Crc32C.Append(checksum, bytes.Slice(tail, 4)), 4));
        }
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static void U16(Span<byte> bytes, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(bytes[at..], value);

    private static void U32(Span<byte> bytes, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], value);
}

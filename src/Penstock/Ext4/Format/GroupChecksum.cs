using System.Buffers.Binary;

namespace Penstock.Ext4.Format;

/// <summary>
/// How a volume checks its group descriptors and bitmaps: with crc32c (metadata_csum), with crc16 (uninit_bg, descriptors only), or not
/// at all. The value is small and fixed for the life of the volume.
/// </summary>
internal readonly struct GroupChecksum
{
    private const int ChecksumOffset = 0x1E; // bg_checksum

    private readonly uint seed;
    private readonly ushort crc16OfUuid;
    private readonly bool hasCrc32C;
    private readonly bool hasCrc16;

    public GroupChecksum(Superblock superblock)
    {
        hasCrc32C = superblock.HasMetadataChecksums;
        hasCrc16 = !hasCrc32C && superblock.Has(ReadOnlyCompatFeatures.UninitBg);
        seed = superblock.ChecksumSeed;
        Span<byte> uuid = stackalloc byte[16];
        superblock.Uuid.TryWriteBytes(uuid, bigEndian: true, out _);
        crc16OfUuid = Crc16.Append(Crc16.Start, uuid);
    }

    /// <summary>Whether descriptors carry a checksum. Only then do the UNINIT flags count.</summary>
    public bool IsUsed => hasCrc32C || hasCrc16;

    /// <summary>Whether bitmaps carry a checksum.</summary>
    public bool CoversBitmaps => hasCrc32C;

    /// <summary>bg_checksum of a descriptor's bytes, whatever that field holds now; 0 on a volume without checksums.</summary>
    public ushort Compute(ReadOnlySpan<byte> descriptor, BlockGroup group)
    {
        ReadOnlySpan<byte> before = descriptor[..ChecksumOffset];
        ReadOnlySpan<byte> after = descriptor[(ChecksumOffset + sizeof(ushort))..];
        if (hasCrc32C)
        {
            uint crc = Crc32C.Append(Crc32C.Append(seed, group.Value), before);
            return (ushort)Crc32C.Append(Crc32C.AppendZeros(crc, sizeof(ushort)), after);
        }

        if (!hasCrc16)
        {
            return 0;
        }

        // The 16-bit checksum leaves its own field out instead of counting it as zero.
        Span<byte> number = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(number, group.Value);
        ushort crc16 = Crc16.Append(Crc16.Append(crc16OfUuid, number), before);
        return Crc16.Append(crc16, after);
    }

    /// <summary>bg_block_bitmap_csum or bg_inode_bitmap_csum over the bits in use, cut to what the descriptor can hold.</summary>
    /// <param name="bitmap">The bitmap's block.</param>
    /// <param name="bits">Clusters or inodes per group.</param>
    /// <param name="descriptorSize">Bytes of a descriptor: 32 bytes have room for 16 bits only.</param>
    public uint ComputeBitmap(ReadOnlySpan<byte> bitmap, uint bits, int descriptorSize)
    {
        uint crc = Crc32C.Append(seed, bitmap[..(int)(bits / 8)]);
        return descriptorSize >= GroupDescriptor.LargeSize ? crc : (ushort)crc;
    }
}

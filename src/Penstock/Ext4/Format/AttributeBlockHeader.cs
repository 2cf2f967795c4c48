using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>The head of an attribute block (ext4_xattr_header). Inodes with the same attributes share a block.</summary>
/// <param name="ReferenceCount">h_refcount: inodes that share it.</param>
/// <param name="Hash">h_hash: over all entries, to find blocks to share.</param>
internal readonly record struct AttributeBlockHeader(uint ReferenceCount, uint Hash)
{
    public const int Size = 32;

    /// <summary>Linux shares a block no more often than this.</summary>
    public const uint MaxReferences = 1024;

    private const int ChecksumOffset = 0x10;
    private const string Structure = "attribute block";

    /// <summary>Reads the head and checks it, the checksum, and every entry.</summary>
    /// <exception cref="CorruptVolumeException">The block is damaged.</exception>
    public static AttributeBlockHeader Parse(ReadOnlySpan<byte> block, VolumeBlock number, uint inodeCount, in MetadataChecksum checksum)
    {
        uint magic = U32(block, 0);
        FormatCheck.Require(magic == AttributeArea.Magic, Structure, number, "h_magic", $"0x{magic:x8}, expected 0xea020000");
        uint blocks = U32(block, 8);
        FormatCheck.Require(blocks == 1, Structure, number, "h_blocks", $"{blocks}, expected 1");
        if (checksum.IsUsed)
        {
            uint stored = U32(block, ChecksumOffset);
            uint computed = ComputeChecksum(block, number, checksum.Seed);
            FormatCheck.Require(stored == computed, Structure, number, "h_checksum", $"0x{stored:x8}, computed 0x{computed:x8}");
        }

        uint references = U32(block, 4);
        FormatCheck.Require(references > 0, Structure, number, "h_refcount", $"0");
        AttributeArea.Check(block, Size, inodeCount, number);
        return new AttributeBlockHeader(references, U32(block, 12));
    }

    /// <summary>Writes the head and, last, the checksum over the whole block.</summary>
    public void WriteTo(Span<byte> block, VolumeBlock number, in MetadataChecksum checksum)
    {
        block[..Size].Clear();
        U32(block, 0x00, AttributeArea.Magic); // h_magic
        U32(block, 0x04, ReferenceCount); // h_refcount
        U32(block, 0x08, 1); // h_blocks
        U32(block, 0x0C, Hash); // h_hash
        if (checksum.IsUsed)
        {
            U32(block, ChecksumOffset, ComputeChecksum(block, number, checksum.Seed)); // h_checksum
        }
    }

    /// <summary>h_hash: all entries' hashes together; 0, never shared, if one of them has none.</summary>
    public static uint ComputeHash(ReadOnlySpan<byte> block)
    {
        uint hash = 0;
        foreach (AttributeEntry entry in AttributeArea.EntriesOf(block, Size))
        {
            if (entry.Hash == 0)
            {
                return 0;
            }

            hash = uint.RotateLeft(hash, 16) ^ entry.Hash;
        }

        return hash;
    }

    public static uint ComputeChecksum(ReadOnlySpan<byte> block, VolumeBlock number, uint seed)
    {
        uint crc = Crc32C.Append(Crc32C.Append(seed, number.Value), block[..ChecksumOffset]);
        return Crc32C.Append(Crc32C.AppendZeros(crc, sizeof(uint)), block[(ChecksumOffset + sizeof(uint))..]);
    }
}

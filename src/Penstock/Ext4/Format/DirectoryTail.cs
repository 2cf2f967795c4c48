using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>The last 12 bytes of a linear directory block with metadata_csum (ext4_dir_entry_tail): an entry that old readers skip.</summary>
internal static class DirectoryTail
{
    public const int Size = 12;

    public static bool IsPresent(ReadOnlySpan<byte> block)
    {
        ReadOnlySpan<byte> tail = block[^Size..];
        return U32(tail, 0) == 0 // det_reserved_zero1
            && U16(tail, 4) == Size // det_rec_len
            && tail[6] == 0 // det_reserved_zero2
            && tail[7] == (byte)DirectoryFileType.ChecksumTail; // det_reserved_ft
    }

    public static uint ReadChecksum(ReadOnlySpan<byte> block) => U32(block[^Size..], 8); // det_checksum

    public static uint Compute(ReadOnlySpan<byte> block, uint inodeSeed) => Crc32C.Append(inodeSeed, block[..^Size]);

    /// <summary>Puts the tail and its checksum in place.</summary>
    public static void Write(Span<byte> block, uint inodeSeed)
    {
        Span<byte> tail = block[^Size..];
        tail.Clear();
        U16(tail, 4, Size);
        tail[7] = (byte)DirectoryFileType.ChecksumTail;
        U32(tail, 8, Compute(block, inodeSeed));
    }
}

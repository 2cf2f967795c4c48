using static Penstock.Journal.Format.BigEndian;

namespace Penstock.Journal.Format;

/// <summary>
/// A data block of the log: the volume's block as it is, unless it begins with the journal's magic number; then those four bytes are zeros in the
/// log, and its tag says so. See https://docs.kernel.org/filesystems/ext4/journal.html#data-block.
/// </summary>
internal static class LoggedBlock
{
    /// <summary>Whether a block of the volume must be escaped in the log.</summary>
    public static bool MustEscape(ReadOnlySpan<byte> block) => LogBlockHeader.IsPresent(block);

    /// <summary>Makes the log's bytes of the volume's.</summary>
    public static void Escape(Span<byte> block) => U32(block, 0, 0);

    /// <summary>Makes the volume's bytes of the log's.</summary>
    public static void Unescape(Span<byte> block) => U32(block, 0, LogBlockHeader.Magic);

    /// <summary>What stands in the tag for a block; 0 where the journal has no such checksums.</summary>
    /// <param name="format">The journal's.</param>
    /// <param name="sequence">The transaction's.</param>
    /// <param name="block">The block as the log has it.</param>
    public static uint ComputeChecksum(LogFormat format, LogSequence sequence, ReadOnlySpan<byte> block)
    {
        if (!format.HasChecksums)
        {
            return 0;
        }

        Span<byte> number = stackalloc byte[sizeof(uint)];
        U32(number, 0, sequence.Value);
        uint crc = Crc32C.Append(Crc32C.Append(format.ChecksumSeed, number), block);
        return format.HasTagsV3 ? crc : (ushort)crc;
    }

    /// <summary>Whether a block of the log is the one its tag tells of; true where there are no such checksums.</summary>
    public static bool IsSound(LogFormat format, LogSequence sequence, in BlockTag tag, ReadOnlySpan<byte> block) =>
        ComputeChecksum(format, sequence, block) == tag.Checksum;
}

using static Penstock.Journal.Format.BigEndian;

namespace Penstock.Journal.Format;

/// <summary>The checksum at the end of a descriptor or revoke block (jbd2_journal_block_tail), where the journal has checksums of version 2 or 3.</summary>
internal static class LogBlockTail
{
    /// <summary>Puts the checksum over a block that is otherwise complete.</summary>
    public static void Write(LogFormat format, Span<byte> block)
    {
        if (format.HasChecksums)
        {
            U32(block, block.Length - sizeof(uint), Compute(format, block)); // t_checksum
        }
    }

    /// <summary>Whether the checksum matches; true where there is none.</summary>
    public static bool IsSound(LogFormat format, ReadOnlySpan<byte> block) =>
        !format.HasChecksums || U32(block, block.Length - sizeof(uint)) == Compute(format, block);

    private static uint Compute(LogFormat format, ReadOnlySpan<byte> block) =>
        Crc32C.AppendZeros(Crc32C.Append(format.ChecksumSeed, block[..^sizeof(uint)]), sizeof(uint));
}

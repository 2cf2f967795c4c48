using static Penstock.Journal.Format.BigEndian;

namespace Penstock.Journal.Format;

/// <summary>What a block of the log is (h_blocktype). A data block is none of these: it has no header.</summary>
internal enum LogBlockType : uint
{
    Descriptor = 1,
    Commit = 2,
    SuperblockV1 = 3,
    SuperblockV2 = 4,
    Revoke = 5,
}

/// <summary>
/// What every block of the log but data begins with (journal_header_t, 12 bytes).
/// See https://docs.kernel.org/filesystems/ext4/journal.html#block-header.
/// </summary>
/// <param name="Type">h_blocktype; it may be none that is known.</param>
/// <param name="Sequence">h_sequence.</param>
internal readonly record struct LogBlockHeader(LogBlockType Type, LogSequence Sequence)
{
    public const int Size = 12;
    public const uint Magic = 0xC03B3998;

    /// <summary>Whether a block begins with one: it then can be no data of the log, which is escaped.</summary>
    public static bool IsPresent(ReadOnlySpan<byte> block) => U32(block, 0) == Magic;

    public static bool TryRead(ReadOnlySpan<byte> block, out LogBlockHeader header)
    {
        header = new LogBlockHeader((LogBlockType)U32(block, 4), new LogSequence(U32(block, 8)));
        return IsPresent(block);
    }

    public void WriteTo(Span<byte> block)
    {
        U32(block, 0, Magic); // h_magic
        U32(block, 4, (uint)Type); // h_blocktype
        U32(block, 8, Sequence.Value); // h_sequence
    }
}

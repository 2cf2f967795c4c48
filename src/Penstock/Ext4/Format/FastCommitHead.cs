using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// What the first block for fast commits begins with while they count (ext4_fc_tl with ext4_fc_head), little-endian like all of ext4's.
/// See https://docs.kernel.org/filesystems/ext4/journal.html#fast-commits.
/// </summary>
internal static class FastCommitHead
{
    private const ushort Tag = 9; // EXT4_FC_TAG_HEAD
    private const ushort Length = 8;

    /// <summary>Whether fast commits stand here that belong behind the transactions before <paramref name="transaction"/>.</summary>
    public static bool IsOf(ReadOnlySpan<byte> block, uint transaction) =>
        U16(block, 0) == Tag && U16(block, 2) == Length && U32(block, 8) == transaction;

    /// <summary>Writes one.</summary>
    public static void Write(Span<byte> block, uint transaction)
    {
        U16(block, 0, Tag); // fc_tag
        U16(block, 2, Length); // fc_len
        U32(block, 4, 0); // fc_features
        U32(block, 8, transaction); // fc_tid
    }
}

namespace Penstock.Journal.Format;

/// <summary>t_flags of a tag.</summary>
[Flags]
internal enum BlockTagFlags : uint
{
    None = 0,

    /// <summary>The block begins with the journal's magic number, which the log has as zeros.</summary>
    Escaped = 0x1,

    /// <summary>No UUID follows the tag: it is the one before it.</summary>
    SameUuid = 0x2,

    /// <summary>The transaction deleted the block. Nobody writes it.</summary>
    Deleted = 0x4,

    /// <summary>The last tag of its descriptor.</summary>
    Last = 0x8,
}

/// <summary>
/// One block that a transaction changes (journal_block_tag_t, journal_block_tag3_t).
/// See https://docs.kernel.org/filesystems/ext4/journal.html#descriptor-block.
/// </summary>
/// <param name="Block">t_blocknr with t_blocknr_high: where on the volume it goes.</param>
/// <param name="Flags">t_flags.</param>
/// <param name="Checksum">t_checksum of the data as the log has it: 32 bits in version 3, the low 16 in version 2, otherwise 0.</param>
internal readonly record struct BlockTag(ulong Block, BlockTagFlags Flags, uint Checksum)
{
    public bool IsEscaped => (Flags & BlockTagFlags.Escaped) != 0;

    public bool IsLast => (Flags & BlockTagFlags.Last) != 0;
}

namespace Penstock.Journal.Format;

/// <summary>
/// Which blocks of a journal its log goes round in, and which hold fast commits. Block numbers count from the journal's start.
/// See https://docs.kernel.org/filesystems/ext4/journal.html#fast-commits.
/// </summary>
internal readonly record struct LogGeometry
{
    private const uint DefaultFastCommitBlocks = 256;

    public LogGeometry(JournalSuperblock superblock)
    {
        First = superblock.First;
        End = superblock.Length;
        FastCommitEnd = superblock.Length;
        FastCommitFirst = superblock.Length;
        if ((superblock.Features & JournalFeatures.FastCommit) == 0)
        {
            return;
        }

        uint blocks = superblock.FastCommitBlocks == 0 ? DefaultFastCommitBlocks : superblock.FastCommitBlocks;
        if (blocks <= superblock.Length && superblock.Length - blocks >= JournalSuperblock.MinBlocks && superblock.Length - blocks > First)
        {
            // The block between the two is nobody's.
            End = superblock.Length - blocks;
            FastCommitFirst = End + 1;
        }
    }

    /// <summary>s_first: the first block of the log.</summary>
    public uint First { get; }

    /// <summary>The block behind the log's last: it goes on at <see cref="First"/>.</summary>
    public uint End { get; }

    /// <summary>The first block for fast commits.</summary>
    public uint FastCommitFirst { get; }

    /// <summary>The block behind the last for fast commits; the first, if there are none.</summary>
    public uint FastCommitEnd { get; }

    /// <summary>How many blocks the log goes round in.</summary>
    public uint Length => End - First;

    /// <summary>The block <paramref name="count"/> blocks further on.</summary>
    public uint Advance(uint block, uint count) => First + (uint)(((ulong)(block - First) + count) % Length);

    /// <summary>How many blocks lie from one block up to another, going forward.</summary>
    public uint Distance(uint from, uint to) => to >= from ? to - from : Length - (from - to);
}

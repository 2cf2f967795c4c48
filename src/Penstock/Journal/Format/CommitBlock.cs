using static Penstock.Journal.Format.BigEndian;

namespace Penstock.Journal.Format;

/// <summary>
/// The block that makes a transaction count (commit_header).
/// See https://docs.kernel.org/filesystems/ext4/journal.html#commit-block.
/// </summary>
/// <param name="Sequence">h_sequence.</param>
/// <param name="Seconds">h_commit_sec, since 1970.</param>
/// <param name="Nanoseconds">h_commit_nsec.</param>
internal readonly record struct CommitBlock(LogSequence Sequence, ulong Seconds, uint Nanoseconds)
{
    /// <summary>Bytes that mean something; the rest of the block is zeros.</summary>
    public const int Size = 60;

    private const byte Crc32Type = 1;
    private const byte Crc32Size = 4;
    private const int TypeOffset = 0x0C;
    private const int SizeOffset = 0x0D;
    private const int ChecksumOffset = 0x10;

    /// <summary>What the sum of a transaction of version 1 begins with: <see cref="SumUp"/> goes on from it.</summary>
    public const uint EmptySum = Crc32Mpeg2.Start;

    /// <summary>Goes on with the sum of a transaction: each descriptor and each data block, as the log has them, in their order; no revoke block.</summary>
    public static uint SumUp(uint sum, ReadOnlySpan<byte> block) => Crc32Mpeg2.Append(sum, block);

    public static CommitBlock Read(ReadOnlySpan<byte> block) => new(new LogSequence(U32(block, 8)), U64(block, 0x30), U32(block, 0x38));

    /// <summary>Whether a commit block's own checksum (version 2 or 3) matches; true where there is none.</summary>
    public static bool IsSound(LogFormat format, ReadOnlySpan<byte> block) =>
        !format.HasChecksums || U32(block, ChecksumOffset) == ComputeChecksum(format, block);

    /// <summary>Whether the blocks of a transaction are those that its commit block sums up (version 1); true where it has no sum, or none is kept.</summary>
    /// <param name="format">The journal's.</param>
    /// <param name="block">The commit block.</param>
    /// <param name="sum">What <see cref="SumUp"/> made of the transaction's blocks.</param>
    public static bool IsSumSound(LogFormat format, ReadOnlySpan<byte> block, uint sum)
    {
        (byte type, byte size, uint stored) = (block[TypeOffset], block[SizeOffset], U32(block, ChecksumOffset));
        bool isMatch = type == Crc32Type && size == Crc32Size && stored == sum;
        return !format.HasTransactionChecksums || isMatch || (type == 0 && size == 0 && stored == 0);
    }

    /// <summary>Writes a whole commit block.</summary>
    /// <param name="format">The journal's.</param>
    /// <param name="block">The block; all of it is written.</param>
    /// <param name="sum">What <see cref="SumUp"/> made of the transaction's blocks; counts only in a journal with checksums of version 1.</param>
    public void Write(LogFormat format, Span<byte> block, uint sum = EmptySum)
    {
        block.Clear();
        new LogBlockHeader(LogBlockType.Commit, Sequence).WriteTo(block);
        U64(block, 0x30, Seconds); // h_commit_sec
        U32(block, 0x38, Nanoseconds); // h_commit_nsec
        if (format.HasTransactionChecksums)
        {
            block[TypeOffset] = Crc32Type; // h_chksum_type
            block[SizeOffset] = Crc32Size; // h_chksum_size
            U32(block, ChecksumOffset, sum); // h_chksum[0]
        }

        if (format.HasChecksums)
        {
            U32(block, ChecksumOffset, ComputeChecksum(format, block)); // h_chksum[0]
        }
    }

    private static uint ComputeChecksum(LogFormat format, ReadOnlySpan<byte> block)
    {
        uint crc = Crc32C.Append(format.ChecksumSeed, block[..ChecksumOffset]);
        return Crc32C.Append(Crc32C.AppendZeros(crc, sizeof(uint)), block[(ChecksumOffset + sizeof(uint))..]);
    }
}

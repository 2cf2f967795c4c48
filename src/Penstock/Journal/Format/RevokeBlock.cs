using static Penstock.Journal.Format.BigEndian;

namespace Penstock.Journal.Format;

/// <summary>
/// Blocks of which no copy in this or an older transaction may be replayed (jbd2_journal_revoke_header_t and what follows).
/// See https://docs.kernel.org/filesystems/ext4/journal.html#revocation-block.
/// </summary>
internal static class RevokeBlock
{
    private const int CountOffset = LogBlockHeader.Size;
    private const int HeaderSize = LogBlockHeader.Size + sizeof(uint);

    /// <summary>The most blocks that one block revokes.</summary>
    public static int Capacity(LogFormat format) => (format.BlockSize - HeaderSize - format.TailSize) / format.RevokeRecordSize;

    /// <summary>Writes a whole revoke block.</summary>
    /// <param name="format">The journal's.</param>
    /// <param name="block">The block; all of it is written.</param>
    /// <param name="sequence">The transaction's.</param>
    /// <param name="revoked">The blocks of the volume: at most <see cref="Capacity"/>.</param>
    public static void Write(LogFormat format, Span<byte> block, LogSequence sequence, ReadOnlySpan<ulong> revoked)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(revoked.Length, Capacity(format));
        block.Clear();
        new LogBlockHeader(LogBlockType.Revoke, sequence).WriteTo(block);
        U32(block, CountOffset, (uint)(HeaderSize + (revoked.Length * format.RevokeRecordSize))); // r_count
        for (int i = 0; i < revoked.Length; i++)
        {
            int offset = HeaderSize + (i * format.RevokeRecordSize);
            if (format.Is64Bit)
            {
                U64(block, offset, revoked[i]);
            }
            else
            {
                U32(block, offset, checked((uint)revoked[i]));
            }
        }

        LogBlockTail.Write(format, block);
    }

    /// <summary>How many blocks are revoked; false if the count cannot be.</summary>
    public static bool TryReadCount(LogFormat format, ReadOnlySpan<byte> block, out int count)
    {
        uint bytes = U32(block, CountOffset); // r_count
        count = bytes <= HeaderSize ? 0 : (int)((Math.Min(bytes, (uint)format.BlockSize) - HeaderSize) / (uint)format.RevokeRecordSize);
        return bytes <= (uint)(format.BlockSize - format.TailSize);
    }

    /// <summary>The number <paramref name="index"/> of the blocks that are revoked.</summary>
    public static ulong ReadBlock(LogFormat format, ReadOnlySpan<byte> block, int index)
    {
        int offset = HeaderSize + (index * format.RevokeRecordSize);
        return format.Is64Bit ? U64(block, offset) : U32(block, offset);
    }
}

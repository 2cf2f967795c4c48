namespace Penstock.Journal.Format;

/// <summary>
/// What the superblock of a journal makes of its blocks: their size, the shape of their tags, which checksums they carry.
/// See https://docs.kernel.org/filesystems/ext4/journal.html#descriptor-block.
/// </summary>
internal sealed class LogFormat
{
    /// <summary>Bytes of a UUID behind a tag that brings one.</summary>
    public const int UuidSize = 16;

    private const int TagSizeV3 = 16;
    private const int TagSize32Bit = 8;
    private const int HighBlockSize = 4;

    public LogFormat(JournalSuperblock superblock)
        : this(superblock.BlockSize, superblock.Features, superblock.CompatFeatures, superblock.Uuid)
    {
    }

    public LogFormat(int blockSize, JournalFeatures features, JournalCompatFeatures compatFeatures, Guid uuid)
    {
        BlockSize = blockSize;
        Features = features;
        HasTransactionChecksums = (compatFeatures & JournalCompatFeatures.Checksum) != 0;
        Uuid = uuid;
        Span<byte> bytes = stackalloc byte[UuidSize];
        uuid.TryWriteBytes(bytes, bigEndian: true, out _);
        ChecksumSeed = Crc32C.Append(Crc32C.Start, bytes);
    }

    /// <summary>Bytes of a block: the volume's.</summary>
    public int BlockSize { get; }

    public JournalFeatures Features { get; }

    public Guid Uuid { get; }

    /// <summary>What every CRC-32C of the log but the superblock's begins with: that of the journal's UUID.</summary>
    public uint ChecksumSeed { get; }

    /// <summary>Checksums of version 2 or 3: every block of the log has one of its own.</summary>
    public bool HasChecksums => (Features & (JournalFeatures.ChecksumV2 | JournalFeatures.ChecksumV3)) != 0;

    /// <summary>Checksums of version 1: a commit block sums up the descriptors and data of its transaction.</summary>
    public bool HasTransactionChecksums { get; }

    public bool Is64Bit => (Features & JournalFeatures.Is64Bit) != 0;

    public bool HasTagsV3 => (Features & JournalFeatures.ChecksumV3) != 0;

    public bool HasTagsV2 => !HasTagsV3 && (Features & JournalFeatures.ChecksumV2) != 0;

    /// <summary>Whether a commit block may reach the device before the blocks it commits: then its checksum says whether they did.</summary>
    public bool IsCommitAsync => (Features & JournalFeatures.AsyncCommit) != 0;

    /// <summary>
    /// Bytes of a tag without its UUID. Version 2 of checksums makes a tag two bytes longer than its fields: the checksum it brought stands in
    /// bytes that were there before.
    /// </summary>
    public int TagSize => HasTagsV3 ? TagSizeV3 : TagSize32Bit + (HasTagsV2 ? sizeof(ushort) : 0) + (Is64Bit ? HighBlockSize : 0);

    /// <summary>Bytes at the end of a descriptor or revoke block that are the checksum's.</summary>
    public int TailSize => HasChecksums ? sizeof(uint) : 0;

    /// <summary>Bytes of a block number in a revoke block.</summary>
    public int RevokeRecordSize => Is64Bit ? sizeof(ulong) : sizeof(uint);
}

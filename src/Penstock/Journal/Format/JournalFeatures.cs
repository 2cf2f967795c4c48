namespace Penstock.Journal.Format;

/// <summary>s_feature_incompat of a journal. See https://docs.kernel.org/filesystems/ext4/journal.html#super-block.</summary>
[Flags]
internal enum JournalFeatures : uint
{
    None = 0,
    Revoke = 0x1,
    Is64Bit = 0x2,
    AsyncCommit = 0x4,
    ChecksumV2 = 0x8,
    ChecksumV3 = 0x10,
    FastCommit = 0x20,
    Known = 0x3F,
}

/// <summary>s_feature_compat of a journal.</summary>
[Flags]
internal enum JournalCompatFeatures : uint
{
    None = 0,

    /// <summary>The first version of checksums: a commit block sums up the blocks of its transaction.</summary>
    Checksum = 0x1,
}

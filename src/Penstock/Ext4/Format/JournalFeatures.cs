namespace Penstock.Ext4.Format;

/// <summary>s_feature_incompat of a journal.</summary>
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

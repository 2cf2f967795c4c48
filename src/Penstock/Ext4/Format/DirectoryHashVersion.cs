namespace Penstock.Ext4.Format;

/// <summary>s_def_hash_version and dx_root_info.hash_version. On the volume 0 to 2 and 6 occur; s_flags turns the first three into 3 to 5.</summary>
internal enum DirectoryHashVersion : byte
{
    Legacy = 0,
    HalfMd4 = 1,
    Tea = 2,
    LegacyUnsigned = 3,
    HalfMd4Unsigned = 4,
    TeaUnsigned = 5,
    SipHash = 6,
}

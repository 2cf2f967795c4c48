namespace Penstock.Ext4.Format;

/// <summary>s_flags.</summary>
[Flags]
internal enum VolumeFlags : uint
{
    None = 0,
    SignedDirectoryHash = 1,
    UnsignedDirectoryHash = 2,
    TestFileSystem = 4,
}

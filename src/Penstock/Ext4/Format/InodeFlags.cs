namespace Penstock.Ext4.Format;

/// <summary>i_flags; chattr's letter beside those it can change.</summary>
[Flags]
internal enum InodeFlags : uint
{
    None = 0,
    SecureDeletion = 0x1, // s
    Undelete = 0x2, // u
    Compress = 0x4, // c
    Synchronous = 0x8, // S
    Immutable = 0x10, // i
    AppendOnly = 0x20, // a
    NoDump = 0x40, // d
    NoAccessTime = 0x80, // A
    Dirty = 0x100,
    CompressedBlocks = 0x200,
    NoCompress = 0x400,
    Encrypted = 0x800, // E
    Index = 0x1000, // I: a hashed directory
    Imagic = 0x2000,
    JournalContents = 0x4000, // j
    NoTailMerge = 0x8000, // t
    DirectorySync = 0x10000, // D
    TopDirectory = 0x20000, // T
    HugeFile = 0x40000, // i_blocks counts volume blocks instead of 512-byte sectors
    Extents = 0x80000, // e
    Verity = 0x100000, // V
    ExtendedAttributeInode = 0x200000,
    Snapshot = 0x1000000,
    DirectAccess = 0x2000000, // x
    SnapshotDeleted = 0x4000000,
    SnapshotShrunk = 0x8000000,
    InlineContents = 0x10000000, // N
    InheritProject = 0x20000000, // P
    CaseFold = 0x40000000, // F
    Reserved = 0x80000000,

    /// <summary>What FS_IOC_GETFLAGS shows.</summary>
    Visible = 0x725BDFFF,

    /// <summary>What FS_IOC_SETFLAGS may change.</summary>
    Changeable = 0x624BC0FF,
}

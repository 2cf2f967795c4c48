namespace Penstock.Ext4.Format;

/// <summary>s_feature_ro_compat: a volume with an unknown one can be read and must not be written.</summary>
[Flags]
internal enum ReadOnlyCompatFeatures : uint
{
    None = 0,
    SparseSuper = 0x1,
    LargeFile = 0x2,
    BtreeDir = 0x4,
    HugeFile = 0x8,
    UninitBg = 0x10,
    DirNlink = 0x20,
    ExtraIsize = 0x40,
    Snapshot = 0x80,
    Quota = 0x100,
    BigAlloc = 0x200,
    MetadataCsum = 0x400,
    Replica = 0x800,
    ReadOnly = 0x1000,
    Project = 0x2000,
    SharedBlocks = 0x4000,
    Verity = 0x8000,
    OrphanPresent = 0x10000,
}

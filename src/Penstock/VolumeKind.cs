namespace Penstock;

/// <summary>Which member of the family to make: what mke2fs calls the type.</summary>
public enum VolumeKind
{
    /// <summary>No journal, block maps.</summary>
    Ext2,

    /// <summary>A journal, block maps.</summary>
    Ext3,

    /// <summary>A journal, extents, checksums, 64-bit block numbers.</summary>
    Ext4,
}

namespace Penstock.Ext4.Format;

/// <summary>bg_flags.</summary>
[Flags]
internal enum GroupFlags : ushort
{
    None = 0,

    /// <summary>Inode table and bitmap were never written: all inodes are free.</summary>
    InodeUninit = 1,

    /// <summary>The block bitmap was never written: only the group's own structures are in use.</summary>
    BlockUninit = 2,

    /// <summary>The inode table is zeroed.</summary>
    InodeZeroed = 4,
}

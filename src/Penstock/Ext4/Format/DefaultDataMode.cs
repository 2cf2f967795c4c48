namespace Penstock.Ext4.Format;

/// <summary>How the data of files is kept in step with the journal: the bits of s_default_mount_opts that say so.</summary>
internal enum DefaultDataMode : uint
{
    /// <summary>Nothing is said: ordered.</summary>
    Default = 0,
    Journal = 0x20,
    Ordered = 0x40,
    Writeback = 0x60,
}

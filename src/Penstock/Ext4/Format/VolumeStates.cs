namespace Penstock.Ext4.Format;

/// <summary>s_state.</summary>
[Flags]
internal enum VolumeStates : ushort
{
    None = 0,

    /// <summary>Closed cleanly.</summary>
    Clean = 1,

    /// <summary>Errors were found; e2fsck must look at it.</summary>
    HasErrors = 2,

    /// <summary>Orphans are being recovered.</summary>
    RecoveringOrphans = 4,

    /// <summary>A fast commit replay is under way.</summary>
    FastCommitReplay = 0x20,
}

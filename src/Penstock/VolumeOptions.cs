namespace Penstock;

/// <summary>How a volume is opened.</summary>
public sealed record VolumeOptions
{
    /// <summary>The defaults: for reading and writing.</summary>
    public static VolumeOptions Default { get; } = new();

    /// <summary>Open for reading only: not one byte of the device is written, and others may open it for reading at the same time.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>
    /// The bytes of memory that cached pages of all volumes of this process may take together; null for an eighth of the machine's memory. The first
    /// volume that is opened decides.
    /// </summary>
    public long? PageCacheBytes { get; init; }

    /// <summary>The user and group that own what is created, unless a call says otherwise.</summary>
    public uint UserId { get; init; }

    /// <inheritdoc cref="UserId"/>
    public uint GroupId { get; init; }

    /// <summary>
    /// The device or image with the volume's journal, if that is not on the volume itself (<c>mke2fs -O journal_dev</c>); null if there is none, or none is at hand: the volume
    /// can only be read then. It is the volume's until that is closed, and is written unless <see cref="IsReadOnly"/>.
    /// </summary>
    public string? JournalDevice { get; init; }

    /// <summary>
    /// What the journal does for the data of files; null for what the volume's superblock says, ordered if it says nothing. Refused with InvalidArgument for a volume without a
    /// journal that is opened for writing.
    /// </summary>
    public DataMode? DataMode { get; init; }

    /// <summary>Where the volume is being mounted, to be recorded on it as the kernel does; null records nothing.</summary>
    internal string? MountedOn { get; init; }

    /// <summary>Whether changes go through the volume's journal. Without it a volume that was not closed is one for <c>e2fsck</c>.</summary>
    internal bool UsesJournal { get; init; } = true;

    /// <summary>A page cache of its own; null for the one of the process.</summary>
    internal Caching.PageCache? PageCache { get; init; }

    internal Execution.Scheduler Scheduler { get; init; } = Execution.Scheduler.Default;
}

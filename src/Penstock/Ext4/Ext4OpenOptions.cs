namespace Penstock.Ext4;

/// <summary>How a volume is to be opened.</summary>
internal sealed record Ext4OpenOptions
{
    /// <summary>Nothing is written, whatever happens.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Whether allocations may use the blocks kept for root.</summary>
    public bool MayUseRootReserve { get; init; }

    /// <summary>Whether freed blocks are discarded once the change that freed them is on the device.</summary>
    public bool DiscardsFreedBlocks { get; init; }

    /// <summary>The device with the volume's journal, where that is not on the volume itself; the caller's.</summary>
    public Devices.BlockDevice? JournalDevice { get; init; }

    /// <summary>What the journal does for the data of files; null for what the volume says.</summary>
    public DataMode? DataMode { get; init; }

    /// <summary>Where it is mounted, for s_last_mounted; null leaves that field alone.</summary>
    public string? MountedOn { get; init; }

    /// <summary>Whether changes go through the volume's journal, if it has one.</summary>
    public bool UsesJournal { get; init; } = true;

    /// <summary>How many bytes of clean metadata are kept in memory.</summary>
    public long MetadataBudget { get; init; } = Journal.VolumeMetadataCache.DefaultBudget;
}

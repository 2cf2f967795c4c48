namespace Penstock.Ext4.Repairing;

/// <summary>What a repair remembers from round to round.</summary>
internal sealed class RepairState
{
    /// <summary>Whether a journal was given up, and is to be made anew at the end.</summary>
    public bool HasLostJournal { get; set; }

    /// <summary>Whether the resize inode was given up, and is to be made anew at the end.</summary>
    public bool NeedsResizeInode { get; set; }

    /// <summary>Whether a log waits, and is to be replayed before anything else is looked at.</summary>
    public bool NeedsReplay { get; set; }

    /// <summary>Whether it has been tried to replay the log: what waits after that cannot be replayed.</summary>
    public bool HasTriedReplay { get; set; }

    /// <summary>Whether the copy of the journal's map in the superblock has been tried.</summary>
    public bool HasTriedJournalBackup { get; set; }
}

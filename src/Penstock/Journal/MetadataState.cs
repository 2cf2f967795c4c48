namespace Penstock.Journal;

/// <summary>
/// The states of a metadata block and who moves it. A log adds its own between Dirty and Clean: committing (its transaction is being
/// written to the log; a change by the next transaction freezes a copy first) and checkpoint (in the log, not yet in its place).
/// </summary>
internal enum MetadataState : byte
{
    /// <summary>No block's: an empty frame. → Loading by a read; → Clean as a new block of zeros.</summary>
    Free,

    /// <summary>Being read; readers wait. → Clean by the read, or → Forgotten if it fails.</summary>
    Loading,

    /// <summary>As on the device. → Dirty by an edit; → Free by eviction while unpinned.</summary>
    Clean,

    /// <summary>Changed by the running transaction or an older one. → Writing by a commit.</summary>
    Dirty,

    /// <summary>A copy is on its way to the device. → Clean by its completion; → Dirty by an edit or a failure.</summary>
    Writing,

    /// <summary>
    /// Not found by look-ups any more: freed while in memory, or its read failed. → Free with the last pin. One that an older transaction
    /// changed is still written by that one's commit, which comes before the block can be used again.
    /// </summary>
    Forgotten,
}

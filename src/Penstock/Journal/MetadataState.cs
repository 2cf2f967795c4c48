namespace Penstock.Journal;

/// <summary>
/// The states of a metadata block and who moves it. A log adds its own between Dirty and Clean: committing (its transaction is being
/// written to the log; a change by the next transaction freezes a copy first) and checkpoint (in the log, not yet in its place).
/// </summary>
internal enum MetadataState : byte
{
    /// <summary>Being read; readers wait. → Clean by the read, or → gone if it fails.</summary>
    Loading,

    /// <summary>As on the device. → Dirty by an edit; → gone by eviction while unpinned.</summary>
    Clean,

    /// <summary>Changed by the running transaction or an older one. → Writing by a flush.</summary>
    Dirty,

    /// <summary>A copy is on its way to the device. → Clean by its completion; → Dirty by an edit or a failure.</summary>
    Writing,

    /// <summary>Freed while in memory; never written again. → gone with the last pin.</summary>
    Forgotten,
}

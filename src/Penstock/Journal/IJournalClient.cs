using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>What a file system does for its journal.</summary>
internal interface IJournalClient
{
    /// <summary>
    /// Called once, before the first handle of a volume is handed out: marks the volume on the device, durably, as not cleanly closed,
    /// in the way that makes e2fsck check it.
    /// </summary>
    ValueTask BeforeFirstChangeAsync();

    /// <summary>The transaction that freed these blocks is on the device: they may be discarded and used again.</summary>
    void FreedBlocksCommitted(VolumeBlock first, ulong count);

    /// <summary>
    /// Called as the last handle of a transaction, before a commit gathers its blocks: what is kept in memory only (free counts, lazily
    /// stored times) is put into blocks here. At most <see cref="CreditsBeforeCommit"/> blocks. The journal stops the handle. Not called for a
    /// transaction that no handle has joined.
    /// </summary>
    ValueTask BeforeCommitAsync(Handle handle);

    /// <summary>How many blocks <see cref="BeforeCommitAsync"/> may touch.</summary>
    int CreditsBeforeCommit { get; }
}

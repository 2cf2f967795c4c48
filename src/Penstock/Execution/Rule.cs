namespace Penstock.Execution;

/// <summary>
/// The rules a test can switch off, one at a time, to show that something notices (a mutant). The number in each comment is the rule's in the
/// founding semantics: 1.n what the founding patch asks, 2.n where later kernels corrected it.
/// </summary>
internal enum Rule
{
    /// <summary>Every rule holds.</summary>
    None = 0,

    /// <summary>1.1: the inode lock is taken before the direct-I/O gate.</summary>
    LockBeforeGate,

    /// <summary>1.2: a direct write enters the direct-I/O gate.</summary>
    DirectWriteEntersGate,

    /// <summary>1.3: a direct read writes back dirty pages first.</summary>
    DirectReadFlushes,

    /// <summary>1.3: a direct read enters the direct-I/O gate.</summary>
    DirectReadEntersGate,

    /// <summary>1.4: the inode lock is given up after submission, before waiting for the device.</summary>
    InodeLockReleasedAtSubmission,

    /// <summary>1.5: the gate is left at completion, not at submission.</summary>
    GateHeldUntilCompletion,

    /// <summary>1.6: the end-of-I/O callback runs before the gate is left.</summary>
    EndOfIoBeforeGate,

    /// <summary>1.7, 1.20: what fails releases the locks it took.</summary>
    ErrorsReleaseLocks,

    /// <summary>1.8, 1.9: a device, and a file that protects itself, is not locked.</summary>
    SelfProtectedTakesNoLock,

    /// <summary>1.10: whether a request locks is chosen once.</summary>
    LockingChosenOnce,

    /// <summary>1.10, 1.15: a request cannot complete before its last part is submitted, and completes once.</summary>
    CompletesAfterSubmission,

    /// <summary>1.11: a direct write inside the size of a block-mapped file allocates nothing.</summary>
    OverwriteOnlyInsideSize,

    /// <summary>1.12: a direct write that meets a hole of a block-mapped file goes on buffered.</summary>
    HoleFallsBack,

    /// <summary>1.13: data of a fallback is on the device before the write returns.</summary>
    FallbackWritesBack,

    /// <summary>2.4, 3.9: an append that goes on buffered looks for the end of the file anew.</summary>
    FallbackFindsEndAnew,

    /// <summary>1.16: a direct write writes back dirty pages of its range first.</summary>
    DirectWriteFlushes,

    /// <summary>1.16: when the dirty pages cannot be written back, no direct I/O is issued.</summary>
    FailedFlushStopsDirectIo,

    /// <summary>1.17: writing back a file without dirty pages is nothing and waits for nothing.</summary>
    CleanFileNeedsNoWait,

    /// <summary>1.18: a direct read drops no cached page.</summary>
    DirectReadKeepsPages,

    /// <summary>1.18, 2.6: pages are invalidated again at completion.</summary>
    InvalidateAfterWrite,

    /// <summary>2.6: pages are invalidated before a direct write.</summary>
    InvalidateBeforeWrite,

    /// <summary>2.7: only the range of a direct request is written back.</summary>
    OnlyRangeIsFlushed,

    /// <summary>1.21: truncate drains the gate.</summary>
    TruncateDrainsGate,

    /// <summary>1.22: a vectored request is one locked episode.</summary>
    VectoredIsOneEpisode,

    /// <summary>1.23: a file's own direct I/O is framed by write-back and invalidation.</summary>
    OwnDirectIoIsFramed,

    /// <summary>1.24: a direct read of blocks that were never written gives zeros, whatever the device holds there.</summary>
    UnwrittenReadsAsZeros,

    /// <summary>2.1: an extending write keeps the inode lock exclusive until the size is published.</summary>
    ExtendingWriteHoldsLock,

    /// <summary>2.1: that a write is a pure overwrite is looked at again under the lock.</summary>
    OverwriteCheckedUnderLock,

    /// <summary>2.1: an append learns where the file ends under the lock.</summary>
    AppendTakesEndUnderLock,

    /// <summary>2.2: a file that protects itself allocates as its mapper decides.</summary>
    MapperDecidesAllocation,

    /// <summary>2.3: the block that holds the last byte is inside the file.</summary>
    PartialLastBlockIsInside,

    /// <summary>2.4: a fallback goes on at the first byte not transferred.</summary>
    FallbackGoesOn,

    /// <summary>2.5: the size is published at completion.</summary>
    SizeAfterCompletion,

    /// <summary>2.5: the end of I/O moves the size forward only.</summary>
    SizeMovesForwardOnly,

    /// <summary>2.8: punch hole and its like drain the gate.</summary>
    PunchDrainsGate,

    /// <summary>2.8: removal of blocks drops their cached pages.</summary>
    RemovalDropsPages,

    /// <summary>2.8: collapse and insert drop the cached pages of what they move.</summary>
    ShiftDropsPages,

    /// <summary>2.9: a fill holds the invalidation lock shared.</summary>
    FillSharesInvalidationLock,

    /// <summary>2.9: a removal holds the invalidation lock exclusively.</summary>
    RemovalExcludesFills,

    /// <summary>2.10: an unaligned write that is not an overwrite is exclusive and drains.</summary>
    UnalignedWriteIsExclusive,

    /// <summary>2.10: heads and tails of new blocks are zeroed.</summary>
    HeadsAndTailsAreZeroed,

    /// <summary>2.11: the gap between the old end and an extending write is zeroed.</summary>
    GapIsZeroed,

    /// <summary>2.11: a truncate zeroes the rest of the last block.</summary>
    TailIsZeroed,

    /// <summary>2.12: a failed extending write is cut back.</summary>
    FailedExtensionIsCutBack,

    /// <summary>2.3: a hole in the last block is not the end of the file to a direct read.</summary>
    HoleInLastBlockIsInside,

    /// <summary>2.13: the partial last block is clamped to the size.</summary>
    ReadEndsAtSize,

    /// <summary>2.13: the size is sampled before the read.</summary>
    SizeSampledBefore,

    /// <summary>1.14, 2.14: O_DSYNC syncs after completion.</summary>
    SyncAfterCompletion,

    /// <summary>2.14: a sync flushes the device's own cache.</summary>
    SyncFlushesDevice,

    /// <summary>2.15: options are snapshot once.</summary>
    OptionsSnapshotOnce,

    /// <summary>2.16: a write-back error reaches each open file's next sync.</summary>
    WritebackErrorReachesEveryOpenFile,

    /// <summary>2.17: blocks for holes are allocated unwritten and converted at completion.</summary>
    HoleAllocatedUnwritten,

    /// <summary>2.17: of an unwritten run only what has landed is converted.</summary>
    OnlyLandedIsConverted,

    /// <summary>2.18: a completion needs no inode lock.</summary>
    CompletionNeedsNoLock,

    /// <summary>2.19: write-back waits for what was started even when a start failed.</summary>
    WritebackAlwaysWaits,

    /// <summary>2.20: an error of a sync, or of the writeback after a fallback, wins over the count.</summary>
    SyncErrorWins,

    /// <summary>2.19: a page that could not be written back stays dirty.</summary>
    FailedWritebackStaysDirty,

    /// <summary>2.21: a write clears setuid, setgid and capabilities.</summary>
    WriteClearsPrivileges,

    /// <summary>1.19, 2.22: alignment is checked before anything else.</summary>
    AlignmentCheckedFirst,

    /// <summary>3.5: freed blocks are not reused before the change that freed them is on the device.</summary>
    FreedBlocksWaitForCommit,

    /// <summary>3.6: the gate is left once.</summary>
    GateLeftOnce,

    /// <summary>3.3: a buffered write waits for direct I/O in flight.</summary>
    BufferedWriteWaitsForDirectIo,

    /// <summary>3.15: the caller's memory is the device's until the request has completed.</summary>
    MemoryKeptUntilCompletion,

    /// <summary>3.4: an invalidation never drops a dirty page.</summary>
    InvalidationKeepsDirtyPages,

    /// <summary>Without a log: new blocks of metadata are on the device before what leads to them.</summary>
    NewBlocksBeforePointers,

    /// <summary>Names: what is remembered of a name is forgotten before the name changes.</summary>
    ChangedNamesAreForgotten,

    /// <summary>Volumes: a volume is marked not clean before its first change.</summary>
    MarkedDirtyBeforeFirstChange,

    /// <summary>Journal: the data of files without unwritten blocks has landed before the transaction that leads to it is committed.</summary>
    DataBeforeCommit,

    /// <summary>Journal: a transaction that leads to data which the device has refused is not committed.</summary>
    RefusedDataEndsCommits,

    /// <summary>Journal: the blocks of a transaction are in the log before its commit block is sent.</summary>
    LogBeforeCommitBlock,

    /// <summary>Journal: the device is flushed between the log's blocks, and the data of files, and the commit block.</summary>
    FlushBeforeCommitBlock,

    /// <summary>Journal: a commit block takes the place of zeros, so that one torn by a loss of power is whole or none.</summary>
    CommitBlockFollowsZeros,

    /// <summary>Journal: a commit is acknowledged when its commit block is on stable storage.</summary>
    CommitBlockIsDurable,

    /// <summary>Journal: a block that the next transaction changes before it is copied to the log is frozen as it was.</summary>
    CommittingBlockIsFrozen,

    /// <summary>Journal: a block that begins with the journal's magic number is escaped in the log.</summary>
    MagicIsEscaped,

    /// <summary>Journal: metadata that is freed is revoked in the log.</summary>
    FreedMetadataIsRevoked,

    /// <summary>Journal: a block of file data that is freed is revoked if the log may have a copy of it.</summary>
    FreedDataIsRevoked,

    /// <summary>Journal: data of files that is to go through the log is not written to its place by a write-back.</summary>
    DataGoesThroughLog,

    /// <summary>Journal: a block goes to its place only as it was committed.</summary>
    CheckpointAfterCommit,

    /// <summary>Journal: what a checkpoint wrote is flushed before the log's beginning moves past it.</summary>
    CheckpointBeforeTail,

    /// <summary>Journal: the log's beginning has moved on the device before the space is used again.</summary>
    TailBeforeReuse,
}

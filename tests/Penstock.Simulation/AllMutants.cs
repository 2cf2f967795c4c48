using Penstock.Execution;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation;

/// <summary>Every mutant, by name.</summary>
internal static class AllMutants
{
    public static IReadOnlyList<Mutant> InOrder { get; } =
    [
        Of(Rule.LockBeforeGate, "a direct read takes the gate before the inode lock", "mix"),
        Of(Rule.DirectWriteEntersGate, "a direct write does not enter the gate", "fill-truncate-recycle", "punch-direct", "hole-later"),
        Of(Rule.DirectReadFlushes, "a direct read does not write dirty pages back", "buffered-writer", "mix"),
        Of(Rule.DirectReadEntersGate, "a direct read does not enter the gate", "punch-direct", "fill-truncate-recycle", "mix"),
        Of(Rule.InodeLockReleasedAtSubmission, "the inode lock is held until the device has completed", "stalled-device"),
        Of(Rule.GateHeldUntilCompletion, "the gate is left at submission", "punch-direct", "fill-truncate-recycle", "hole-later"),
        Of(Rule.EndOfIoBeforeGate, "the gate is left before the end of I/O", "two-in-unwritten", "fill-truncate-recycle", "punch-direct", "mix"),
        Of(Rule.OverwriteOnlyInsideSize, "a direct write allocates blocks inside the size of a block-mapped file", "sparse-file", "hole-later"),
        Of(Rule.FallbackWritesBack, "what goes on buffered is not on the device when the write returns", "one-by-one"),
        Of(Rule.FallbackFindsEndAnew, "an append that goes on buffered keeps the offset it had", "two-appenders"),
        Of(Rule.DirectWriteFlushes, "a direct write does not write dirty pages of its range back", "all-pairs", "mix", "unwritten-error"),
        Of(Rule.InvalidateAfterWrite, "pages are not invalidated at the completion of a direct write", "buffered-read-async-write", "readahead"),
        Of(Rule.InvalidateBeforeWrite, "pages are not invalidated before a direct write", "one-by-one"),
        Of(Rule.TruncateDrainsGate, "truncate does not wait for direct I/O", "fill-truncate-recycle", "mix-faults", "mix"),
        Of(Rule.UnwrittenReadsAsZeros, "a direct read takes what the device holds in unwritten blocks", "two-in-unwritten"),
        Of(Rule.ExtendingWriteHoldsLock, "an extending write shares the inode lock", "two-appenders", "fill-truncate-recycle"),
        Of(Rule.OverwriteCheckedUnderLock, "whether a write is an overwrite is not looked at under the lock", "two-in-unwritten", "fill-truncate-recycle"),
        Of(Rule.AppendTakesEndUnderLock, "an append learns the end of the file before it has the lock", "two-appenders", "append-readers"),
        Of(Rule.PartialLastBlockIsInside, "the block that holds the last byte counts as beyond the end", "hole-in-last-block"),
        Of(Rule.SizeAfterCompletion, "the size is published when a write is submitted", "no-space", "unwritten-error"),
        Of(Rule.SizeMovesForwardOnly, "the end of I/O sets the size, whatever it is", "two-in-unwritten", "fill-truncate-recycle"),
        Of(Rule.PunchDrainsGate, "punch hole and its like do not wait for direct I/O", "punch-direct", "hole-later"),
        Of(Rule.RemovalDropsPages, "punch hole leaves cached pages", "punch-direct", "hole-later"),
        Of(Rule.ShiftDropsPages, "collapse and insert leave cached pages where they were", "collapse-insert", "mix-extents"),
        Of(Rule.FillSharesInvalidationLock, "a fill of the cache does not take the invalidation lock", "punch-fill"),
        Of(Rule.RemovalExcludesFills, "removal of blocks does not exclude fills of the cache", "punch-fill"),
        Of(Rule.UnalignedWriteIsExclusive, "a write of parts of a block runs beside others", "two-in-unwritten", "sub-block-writes"),
        Of(Rule.HeadsAndTailsAreZeroed, "what a write leaves of a new block is not zeroed", "sub-block-writes", "sparse-file"),
        Of(Rule.GapIsZeroed, "the gap between the old end and a write is not zeroed", "unwritten-error", "mix-faults", "one-by-one"),
        new("stale-tail", "neither a truncate zeroes the rest of the block nor a later write the gap", ["one-by-one", "mix"], Rule.GapIsZeroed, Rule.TailIsZeroed),
        Of(Rule.FailedExtensionIsCutBack, "a failed extending write leaves blocks beyond the size", "mix-faults", "one-by-one"),
        Of(Rule.SyncAfterCompletion, "O_DSYNC does not sync", "power-loss"),
        Of(Rule.SyncFlushesDevice, "a sync does not flush the device", "power-loss"),
        Of(Rule.SyncErrorWins, "an error of a sync is dropped, the count returned", "power-loss"),
        Of(Rule.MarkedDirtyBeforeFirstChange, "a volume is changed while it says that it is clean", "power-loss"),
        Of(Rule.WritebackErrorReachesEveryOpenFile, "an error of writeback is told to one open file only", "two-openers"),
        Of(Rule.HoleInLastBlockIsInside, "a direct read takes a hole in the last block for the end", "mix-extents", "mix"),
        Of(Rule.ReadEndsAtSize, "a direct read counts what lies beyond the end in the last sector", "partial-last-block"),
        Of(Rule.HoleAllocatedUnwritten, "blocks for holes are allocated as if they were written", "unwritten-error", "sparse-file"),
        Of(Rule.OnlyLandedIsConverted, "all of an unwritten run is converted, landed or not", "unwritten-error"),
        Of(Rule.FailedWritebackStaysDirty, "a page that could not be written back counts as clean", "two-openers"),
        Of(Rule.WriteClearsPrivileges, "a write leaves setuid as it was", "sparse-file"),
        Of(Rule.AlignmentCheckedFirst, "alignment is checked after a lock was taken", "misaligned"),
        Of(Rule.GateLeftOnce, "a direct write leaves the gate twice", "aio-copy"),
        Of(Rule.BufferedWriteWaitsForDirectIo, "a buffered write does not wait for direct I/O", "all-pairs", "cancelled", "mix"),
        Of(Rule.MemoryKeptUntilCompletion, "a direct write returns before the device is done with its memory", "cancelled"),
        Of(Rule.InvalidationKeepsDirtyPages, "invalidation drops dirty pages", "mix-extents", "mix", "all-pairs"),
        Of(Rule.ErrorsReleaseLocks, "a direct request whose write-back fails leaves its locks held", "one-by-one", "mix-faults"),
        Of(Rule.CompletesAfterSubmission, "a direct request may complete before its last part is submitted", "fill-truncate-recycle", "mix"),
        Of(Rule.HoleFallsBack, "a direct write that meets a hole of a block-mapped file fails", "sparse-file", "hole-later"),
        Of(Rule.FailedFlushStopsDirectIo, "direct I/O goes on although dirty pages could not be written back", "power-loss", "mix-faults"),
        Of(Rule.VectoredIsOneEpisode, "each buffer of a vectored request is a request", "mix"),
        Of(Rule.FallbackGoesOn, "a fallback begins at the first byte again", "hole-later"),
        Of(Rule.OptionsSnapshotOnce, "a request looks at the options of its file again", "toggle-direct", "mix"),
        Of(Rule.CompletionNeedsNoLock, "the completion of a direct write takes the inode lock", "event-loop-truncate"),
        new("founding-patch", "the design of the founding patch, before anything in it was corrected", FoundingScenarios, FoundingRules),
    ];

    /// <summary>
    /// What the patch of 2003 did not have, or had in another way: section 2 of the semantics, as far as it can be switched off. Pages are invalidated
    /// once, at submission, as its asynchronous writes did.
    /// </summary>
    private static Rule[] FoundingRules =>
    [
        Rule.ExtendingWriteHoldsLock,
        Rule.PartialLastBlockIsInside,
        Rule.HoleInLastBlockIsInside,
        Rule.SizeAfterCompletion,
        Rule.InvalidateAfterWrite,
        Rule.PunchDrainsGate,
        Rule.FillSharesInvalidationLock,
        Rule.RemovalExcludesFills,
        Rule.UnalignedWriteIsExclusive,
        Rule.GapIsZeroed,
        Rule.FailedExtensionIsCutBack,
        Rule.FallbackFindsEndAnew,
        Rule.SyncAfterCompletion,
        Rule.SyncErrorWins,
        Rule.WritebackErrorReachesEveryOpenFile,
        Rule.WritebackAlwaysWaits,
        Rule.AlignmentCheckedFirst,
        Rule.BufferedWriteWaitsForDirectIo,
    ];

    private static string[] FoundingScenarios => [.. AllScenarios.InOrder.Select(static s => s.Name)];

    public static Mutant? Find(string name) => InOrder.FirstOrDefault(m => m.Name == name);

    private static Mutant Of(Rule rule, string about, params string[] scenarios) => new(ToName(rule), about, scenarios, rule);

    /// <summary>TruncateDrainsGate: truncate-drains-gate.</summary>
    internal static string ToName(Rule rule) => string.Concat(
        rule.ToString().Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
}

using Penstock.Execution;

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
        Of(Rule.OverwriteOnlyInsideSize, "a direct write allocates blocks inside the size of a block-mapped file", "sparse-file", "hole-later"),
        Of(Rule.DirectWriteFlushes, "a direct write does not write dirty pages of its range back", "all-pairs", "mix", "unwritten-error"),
        Of(Rule.InvalidateAfterWrite, "pages are not invalidated at the completion of a direct write", "buffered-read-async-write", "readahead"),
        Of(Rule.TruncateDrainsGate, "truncate does not wait for direct I/O", "fill-truncate-recycle", "mix-faults", "mix"),
        Of(Rule.UnwrittenReadsAsZeros, "a direct read takes what the device holds in unwritten blocks", "two-in-unwritten"),
        Of(Rule.ExtendingWriteHoldsLock, "an extending write shares the inode lock", "two-appenders", "fill-truncate-recycle"),
        Of(Rule.OverwriteCheckedUnderLock, "whether a write is an overwrite is not looked at under the lock", "two-in-unwritten", "fill-truncate-recycle"),
        Of(Rule.AppendTakesEndUnderLock, "an append learns the end of the file before it has the lock", "two-appenders", "append-readers"),
        Of(Rule.SizeAfterCompletion, "the size is published when a write is submitted", "no-space", "unwritten-error"),
        Of(Rule.SizeMovesForwardOnly, "the end of I/O sets the size, whatever it is", "two-in-unwritten", "fill-truncate-recycle"),
        Of(Rule.PunchDrainsGate, "punch hole and its like do not wait for direct I/O", "punch-direct", "hole-later"),
        Of(Rule.RemovalDropsPages, "punch hole leaves cached pages", "punch-direct", "hole-later"),
        Of(Rule.ShiftDropsPages, "collapse and insert leave cached pages where they were", "collapse-insert", "mix-extents"),
        Of(Rule.UnalignedWriteIsExclusive, "a write of parts of a block runs beside others", "two-in-unwritten", "sub-block-writes"),
        Of(Rule.HeadsAndTailsAreZeroed, "what a write leaves of a new block is not zeroed", "sub-block-writes", "sparse-file"),
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
    ];

    public static Mutant? Find(string name) => InOrder.FirstOrDefault(m => m.Name == name);

    private static Mutant Of(Rule rule, string about, params string[] scenarios) => new(ToName(rule), about, scenarios, rule);

    /// <summary>TruncateDrainsGate: truncate-drains-gate.</summary>
    private static string ToName(Rule rule) => string.Concat(
        rule.ToString().Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
}

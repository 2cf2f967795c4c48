using Penstock.Execution;
using Penstock.Simulation.Crash.Workloads;

namespace Penstock.Simulation.Crash;

/// <summary>Builds in which something that keeps data through a loss of power is off. Each must be found.</summary>
internal static class CrashMutants
{
    public static IReadOnlyList<Mutant> InOrder { get; } =
    [
        Of(Rule.SyncFlushesDevice, "a sync does not flush the device", "append-dsync", "hole-fill", "replace"),
        Of(Rule.SyncAfterCompletion, "O_DSYNC does not sync", "append-dsync", "hole-fill"),
        Of(Rule.NewBlocksBeforePointers, "without a log new metadata and what leads to it are written together", "directory-split", "append-dsync", "attributes"),
        Of(Rule.MarkedDirtyBeforeFirstChange, "the log is used while the volume says that there is nothing to recover", "journal-wrap"),
        Of(Rule.DataBeforeCommit, "a transaction is committed before the data that it leads to has landed", "recycle", "append-fsync"),
        Of(Rule.LogBeforeCommitBlock, "the commit block is sent while blocks of its transaction are on their way", "journal-wrap", "mix"),
        Of(Rule.FlushBeforeCommitBlock, "no flush comes between a transaction and its commit block", "journal-wrap", "replace"),
        Of(Rule.CommitBlockFollowsZeros, "a torn commit block ends in what an earlier round of the log has left", "log-wrap"),
        Of(Rule.CommitBlockIsDurable, "a commit is acknowledged while its commit block may be lost", "replace", "append-dsync"),
        Of(Rule.CommittingBlockIsFrozen, "the next transaction changes a block that is on its way to the log", "link-storm", "mix"),
        Of(Rule.MagicIsEscaped, "a copy in the log that begins like a block of the log is left so", "replace", "data-magic"),
        Of(Rule.FreedMetadataIsRevoked, "metadata that is freed is not revoked", "directory-recycle"),
        Of(Rule.CheckpointAfterCommit, "a checkpoint puts a block in its place with changes that are not committed", "data-wrap"),
        Of(Rule.DataGoesThroughLog, "a write-back puts data that belongs in the log in its place", "data-overwrite"),
        Of(Rule.FreedBlocksWaitForCommit, "freed blocks are used again before the change that freed them is durable", "directory-recycle", "recycle"),
        Of(Rule.CheckpointBeforeTail, "the log's beginning moves before what it had is flushed in its place", "log-wrap"),
        Of(Rule.TailBeforeReuse, "space of the log is used again before its beginning has moved on the device", "log-wrap"),
    ];

    public static Mutant? Find(string name) => InOrder.FirstOrDefault(m => m.Name == name);

    private static Mutant Of(Rule rule, string about, params string[] workloads) => new(AllMutants.ToName(rule), about, workloads, rule);
}

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
    ];

    public static Mutant? Find(string name) => InOrder.FirstOrDefault(m => m.Name == name);

    private static Mutant Of(Rule rule, string about, params string[] workloads) => new(AllMutants.ToName(rule), about, workloads, rule);
}

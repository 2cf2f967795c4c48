namespace Penstock.Simulation.Crash.Workloads;

/// <summary>Every workload, by name.</summary>
internal static class AllWorkloads
{
    public static IReadOnlyList<Workload> InOrder { get; } = [.. FileWorkloads.All, .. NameWorkloads.All, Mixes.Mix];

    public static Workload? Find(string name) => InOrder.FirstOrDefault(w => w.Name == name);
}

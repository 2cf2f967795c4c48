namespace Penstock.Bench.Comparing;

/// <summary>Every contest. Those of another kind of work come in a file of their own and are named here.</summary>
internal static class RowTable
{
    public static IReadOnlyList<Contest> All { get; } =
        [.. InProcessRows.All, .. EngineRows.All, .. NameRows.All, .. MountRows.All, .. MountTreeRows.All, .. ToolRows.All];
}

namespace Penstock.Bench.Comparing;

/// <summary>Every row. Those of another kind of peer come in a file of their own and are named here.</summary>
internal static class RowTable
{
    public static IReadOnlyList<Row> All { get; } = [.. InProcessRows.All, .. ToolRows.All];
}

namespace Penstock.Simulation.Scenarios;

/// <summary>Every scenario, by name.</summary>
internal static class AllScenarios
{
    public static IReadOnlyList<Scenario> InOrder { get; } = [.. NamedScenarios.All, .. Mixes.All];

    public static Scenario? Find(string name) => InOrder.FirstOrDefault(s => s.Name == name);
}

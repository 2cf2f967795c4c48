using Penstock.Simulation.Execution;

namespace Penstock.Simulation.Scenarios;

/// <summary>A way to draw plans: the scenarios of the founding semantics, section 4, each by its name, and mixes.</summary>
/// <param name="Name">The name on the command line.</param>
/// <param name="About">What it is about, in a line.</param>
/// <param name="Draw">Draws a plan.</param>
internal sealed record Scenario(string Name, string About, Func<Chance, Plan> Draw);

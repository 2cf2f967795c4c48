using Penstock.Execution;

namespace Penstock.Simulation;

/// <summary>A build in which a rule is off.</summary>
/// <param name="Name">The name on the command line.</param>
/// <param name="About">What it does wrong.</param>
/// <param name="Scenarios">The scenarios that look for it, the best first.</param>
/// <param name="Rules">The rules that are off.</param>
internal sealed record Mutant(string Name, string About, IReadOnlyList<string> Scenarios, params Rule[] Rules)
{
    public RuleSet Broken => RuleSet.Of(Rules);
}

using Penstock.Execution;
using Penstock.Simulation;
using Xunit;

namespace Penstock.Tests.Tidy;

/// <summary>docs/RULES.md is true: no rule is missing, and every name in it is there.</summary>
public sealed class RuleTableTests
{
    private static readonly IReadOnlyList<RuleRow> s_rows = RuleRow.Parse(SourceTree.Document("docs/RULES.md"));

    private static readonly Dictionary<string, string> s_tests =
        RuleRow.ReadTests(SourceTree.All.Where(f => f.Path.StartsWith("tests/", StringComparison.Ordinal)));

    [Fact]
    public void Every_rule_has_a_row() => Assert.Equal(RuleRow.AllNumbers, s_rows.Select(r => r.Number));

    [Fact]
    public void Every_row_names_a_test_that_is_there_and_named_after_the_rule()
    {
        List<string> found = [];
        foreach (RuleRow row in s_rows)
        {
            found.AddRange(row.Tests.Count == 0 ? [$"{row} has no test"] : []);
            found.AddRange(row.Tests.Where(t => !s_tests.ContainsKey(t)).Select(t => $"{row}: there is no test {t}"));
            found.AddRange(row.Tests.Where(t => !row.IsNamedIn(t)).Select(t => $"{row}: {t} is not named after it"));
            found.AddRange(s_tests.Keys.Where(row.IsNamedIn).Except(row.Tests).Select(t => $"{row} does not tell of {t}"));
        }

        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Fact]
    public void Every_row_names_the_mutants_that_the_core_has_for_the_rule()
    {
        (string Number, string Mutant)[] members = [.. RuleRow.ReadMembers(SourceTree.Document("src/Penstock/Execution/Rule.cs"))];
        Assert.True(members.Length > 50, "The comments of the rules could not be read.");
        List<string> found = [];
        foreach (RuleRow row in s_rows)
        {
            found.AddRange(row.Mutants.Count == 0 ? [$"{row} has no mutant"] : []);
            found.AddRange(row.Mutants.Where(m => !Enum.TryParse<Rule>(m, out _)).Select(m => $"{row}: there is no mutant {m}"));
            found.AddRange(members.Where(m => m.Number == row.Number && !row.Mutants.Contains(m.Mutant)).Select(m => $"{row} does not tell of {m.Mutant}"));
        }

        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Fact]
    public void Every_rule_has_a_test_that_runs_with_the_rule_broken_and_every_mutant_is_noticed()
    {
        // A test that names a mutant runs with it, and without: World.Matters, or a theory over both.
        HashSet<string> hunted = [.. AllMutants.InOrder.Where(m => m.Rules.Length <= 2).SelectMany(m => m.Rules).Select(r => r.ToString())];
        List<string> found = [];
        foreach (RuleRow row in s_rows)
        {
            if (!row.Mutants.Any(m => row.Tests.Any(t => Names(t, m))))
            {
                found.Add($"{row}: no test of it runs with the rule broken");
            }

            found.AddRange(row.Mutants.Where(m => !hunted.Contains(m) && !row.Tests.Any(t => Names(t, m)))
                .Select(m => $"{row}: nothing looks for {m}"));
        }

        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    private static bool Names(string test, string mutant) =>
        s_tests.TryGetValue(test, out string? source) && source.Contains($"Rule.{mutant}", StringComparison.Ordinal);
}

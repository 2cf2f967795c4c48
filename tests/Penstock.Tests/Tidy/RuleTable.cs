using System.Globalization;
using System.Text.RegularExpressions;

namespace Penstock.Tests.Tidy;

/// <summary>One row of docs/RULES.md: a rule of the semantics, the tests named after it, and the rules of the core that break it.</summary>
internal sealed partial record RuleRow(string Number, IReadOnlyList<string> Tests, IReadOnlyList<string> Mutants)
{
    /// <summary>The rules of section 1 and of section 2, in order.</summary>
    public static IEnumerable<string> AllNumbers =>
        [.. Enumerable.Range(1, 24).Select(i => $"1.{i}"), .. Enumerable.Range(1, 22).Select(i => $"2.{i}")];

    public static IReadOnlyList<RuleRow> Parse(string page) =>
        [.. page.Split('\n').Select(line => RowPattern().Match(line)).Where(m => m.Success).Select(m => new RuleRow(
            m.Groups["number"].Value, NamesIn(m.Groups["tests"].Value), NamesIn(m.Groups["mutants"].Value)))];

    /// <summary>
    /// The rules that each member of <c>Rule</c> is about, by the numbers its comment begins with: "1.7, 1.20: ...".
    /// </summary>
    public static IEnumerable<(string Number, string Mutant)> ReadMembers(string source)
    {
        foreach (Match member in MemberPattern().Matches(source))
        {
            foreach (string number in member.Groups["numbers"].Value.Split(", "))
            {
                if (number[0] is '1' or '2')
                {
                    yield return (number, member.Groups["name"].Value);
                }
            }
        }
    }

    /// <summary>Whether the name of a test says that it is about this rule: Rule_1_8_..., Rules_1_7_and_1_20_....</summary>
    public bool IsNamedIn(string test)
    {
        string number = Number.Replace('.', '_');
        return test.StartsWith($"Rule_{number}_", StringComparison.Ordinal)
            || (test.StartsWith("Rules_", StringComparison.Ordinal) && NumbersPattern().Matches(test).Any(m => m.Value == number));
    }

    /// <summary>The source of each test method that is named after a rule, by its name: from its line to the next attribute or the end.</summary>
    public static Dictionary<string, string> ReadTests(IEnumerable<SourceFile> files)
    {
        var tests = new Dictionary<string, string>();
        foreach (SourceFile file in files)
        {
            MatchCollection found = TestPattern().Matches(file.Text);
            foreach (Match match in found)
            {
                int next = file.Text.IndexOf("\n    [", match.Index, StringComparison.Ordinal);
                int from = file.Text.LastIndexOf("\n\n", match.Index, StringComparison.Ordinal);
                tests[match.Groups["name"].Value] = file.Text[from..(next < 0 ? file.Text.Length : next)];
            }
        }

        return tests;
    }

    private static string[] NamesIn(string cell) => [.. NamePattern().Matches(cell).Select(m => m.Groups[1].Value)];

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"rule {Number}");

    [GeneratedRegex(@"^\| (?<number>[12]\.\d+) \|[^|]*\|(?<tests>[^|]*)\|(?<mutants>[^|]*)\|")]
    private static partial Regex RowPattern();

    [GeneratedRegex(@"/// <summary>(?<numbers>\d\.\d+(, \d\.\d+)*): [^\n]*(\n    /// [^\n]*)*\n    (?<name>\w+),")]
    private static partial Regex MemberPattern();

    [GeneratedRegex(@"(public|internal) (async )?(void|Task) (?<name>Rules?_\d\w+)\(")]
    private static partial Regex TestPattern();

    [GeneratedRegex(@"`(\w+)`")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"\d_\d+")]
    private static partial Regex NumbersPattern();
}

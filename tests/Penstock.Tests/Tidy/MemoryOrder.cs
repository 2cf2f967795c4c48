using System.Text.RegularExpressions;

namespace Penstock.Tests.Tidy;

/// <summary>
/// Every access that orders memory (Volatile, Interlocked, volatile fields, barriers) has its reason in <c>docs/MEMORY-ORDER.md</c>: under the path of its file, in
/// a row that names the member and what is done to it.
/// </summary>
internal static partial class MemoryOrder
{
    public const string Document = "docs/MEMORY-ORDER.md";

    /// <summary>What the code has and the document does not, and what the document has and the code no longer does.</summary>
    public static IEnumerable<string> Compare(IEnumerable<SourceFile> sources, string document)
    {
        Dictionary<(string Path, string Member), SortedSet<string>> found = Find(sources);
        Dictionary<(string Path, string Member), SortedSet<string>> told = Read(document);
        foreach (((string path, string member), SortedSet<string> operations) in found)
        {
            string used = string.Join(", ", operations);
            if (!told.TryGetValue((path, member), out SortedSet<string>? documented))
            {
                yield return $"{path}: {member} ({used}) has no row under its file's heading in {Document}: say what it pairs with and what breaks without it";
            }
            else if (!documented.SetEquals(operations))
            {
                yield return $"{path}: {member} is used with {used}; {Document} says {string.Join(", ", documented)}";
            }
        }

        foreach ((string path, string member) in told.Keys.Where(k => !found.ContainsKey(k)))
        {
            yield return $"{Document}: {path} has no {member} any more";
        }
    }

    private static Dictionary<(string Path, string Member), SortedSet<string>> Find(IEnumerable<SourceFile> sources)
    {
        var found = new Dictionary<(string, string), SortedSet<string>>();
        foreach (SourceFile file in sources)
        {
            foreach (Match match in Access().Matches(file.Code))
            {
                Add(found, file.Path, MemberOf(match.Groups["target"].Value), match.Groups["operation"].Value);
            }

            foreach (Match match in Barrier().Matches(file.Code))
            {
                Add(found, file.Path, match.Value, match.Value);
            }

            foreach (Match match in Field().Matches(file.Code))
            {
                Add(found, file.Path, match.Groups["name"].Value, "volatile");
            }
        }

        return found;
    }

    private static Dictionary<(string Path, string Member), SortedSet<string>> Read(string document)
    {
        var told = new Dictionary<(string, string), SortedSet<string>>();
        string path = "";
        foreach (string line in document.Split('\n'))
        {
            if (Heading().Match(line) is { Success: true } heading)
            {
                path = heading.Groups["path"].Value;
            }
            else if (Row().Match(line) is { Success: true } row)
            {
                foreach (string operation in row.Groups["operations"].Value.Split(',', StringSplitOptions.TrimEntries))
                {
                    Add(told, path, row.Groups["name"].Value, operation);
                }
            }
        }

        return told;
    }

    private static void Add(Dictionary<(string, string), SortedSet<string>> to, string path, string member, string operation)
    {
        if (!to.TryGetValue((path, member), out SortedSet<string>? operations))
        {
            to[(path, member)] = operations = new SortedSet<string>(StringComparer.Ordinal);
        }

        operations.Add(operation);
    }

    /// <summary>The last name of <c>*_head</c>, <c>child.Parent</c>, <c>found.Counted[i]</c>.</summary>
    private static string MemberOf(string target) => target.TrimStart('*', '(', ' ').Split('[')[0].TrimEnd(')', ' ').Split('.')[^1];

    [GeneratedRegex(@"\b(Volatile|Interlocked)\.(?<operation>\w+)(<[^>()]*>)?\(\s*(ref\s+)?(?<target>[^,)]+)")]
    private static partial Regex Access();

    [GeneratedRegex(@"\b(Interlocked|Thread)\.(?<name>MemoryBarrier\w*)\b|\bVolatile\.\w+Barrier\b")]
    private static partial Regex Barrier();

    [GeneratedRegex(@"\bvolatile\s+[\w<>?.,\[\]]+\s+(?<name>\w+)")]
    private static partial Regex Field();

    [GeneratedRegex(@"^#+ `(?<path>src/[^`]+)`")]
    private static partial Regex Heading();

    [GeneratedRegex(@"^\| `(?<name>[\w.]+)` \| (?<operations>[\w., ]+) \| .+ \|$")]
    private static partial Regex Row();
}

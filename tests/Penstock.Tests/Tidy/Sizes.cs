using System.Text.RegularExpressions;

namespace Penstock.Tests.Tidy;

/// <summary>Files under 700 lines, methods under 70.</summary>
internal static partial class Sizes
{
    public const int MaxFileLines = 700;
    public const int MaxMethodLines = 70;

    public static IEnumerable<string> Check(SourceFile file)
    {
        int lines = file.Text.AsSpan().Count('\n');
        if (lines > MaxFileLines)
        {
            yield return $"{file.Path}: {lines} lines";
        }

        foreach ((int line, int length, string header) in Members(file.Code))
        {
            if (length > MaxMethodLines)
            {
                yield return $"{file.Path}:{line}: {length} lines: {header}";
            }
        }
    }

    /// <summary>Every block that stands directly in a type and is no initialiser: methods, constructors, properties, operators.</summary>
    private static IEnumerable<(int Line, int Length, string Header)> Members(string code)
    {
        var open = new Stack<(bool IsType, int Start, string? Member)>();
        int headerStart = 0;
        for (int i = 0; i < code.Length; i++)
        {
            switch (code[i])
            {
                case ';':
                    headerStart = i + 1;
                    break;
                case '{':
                    string header = code[headerStart..i].Trim();
                    bool isInType = open.Count == 0 || open.Peek().IsType;
                    bool isType = isInType && TypeHeader().IsMatch(header);
                    int start = headerStart + code.AsSpan(headerStart, i - headerStart).IndexOfAnyExcept(" \r\n\t");
                    open.Push((isType, start, isInType && !isType && !IsInitialiser(header) ? header : null));
                    headerStart = i + 1;
                    break;
                case '}' when open.Count > 0:
                    (_, int first, string? member) = open.Pop();
                    headerStart = i + 1;
                    if (member is not null)
                    {
                        int line = SourceFile.LineAt(code, first);
                        yield return (line, SourceFile.LineAt(code, i) - line + 1, member.Split('\n')[0].Trim());
                    }

                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>"= new() {", "=> new() {": an assignment outside parentheses that is neither a lambda's nor an operator's, or a table.</summary>
    private static bool IsInitialiser(string header)
    {
        string flat = Parenthesised().Replace(header, "()");
        return (Assignment().IsMatch(flat) || Table().IsMatch(flat)) && !flat.Contains("operator", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"\b(namespace|class|struct|interface|enum|record|extension)\b(?![^(]*=)")]
    private static partial Regex TypeHeader();

    [GeneratedRegex(@"\((?>[^()]+|\((?<d>)|\)(?<-d>))*(?(d)(?!))\)")]
    private static partial Regex Parenthesised();

    [GeneratedRegex(@"(?<![=<>!])=(?![=>])")]
    private static partial Regex Assignment();

    [GeneratedRegex(@"=>\s*new\b[^;]*$")]
    private static partial Regex Table();
}

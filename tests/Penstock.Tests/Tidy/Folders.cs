using System.Text.RegularExpressions;

namespace Penstock.Tests.Tidy;

/// <summary>Namespaces are folders; what belongs to the public face, as every fault does, and checksums, says just Penstock.</summary>
internal static partial class Folders
{
    public static IEnumerable<string> Check(SourceFile file)
    {
        string expected = string.Join('.', file.Parts[..^1]);
        Match match = Namespace().Match(file.Code);
        string found = match.Groups["name"].Value;
        if (match.Success && found != expected && !(found == "Penstock" && (file.Parts[1] is "Faults" or "Checksums" || PublicType().IsMatch(file.Code))))
        {
            yield return $"{file.At(match.Index)}: {found} should be {expected}";
        }
    }

    [GeneratedRegex(@"^namespace (?<name>[\w.]+)", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^public ", RegexOptions.Multiline)]
    private static partial Regex PublicType();
}

using System.Text.RegularExpressions;

namespace Penstock.Tests.Tidy;

/// <summary>Names that say nothing, notes to oneself, and places of one machine.</summary>
internal static partial class Words
{
    public static IEnumerable<string> Check(SourceFile file)
    {
        foreach (Match match in EmptyName().Matches(file.Code))
        {
            yield return $"{file.At(match.Index)}: the name {match.Groups["name"].Value} says nothing";
        }

        foreach (Match match in Note().Matches(file.Text))
        {
            yield return $"{file.At(match.Index)}: {match.Value}: a note belongs in an issue";
        }

        foreach (Match match in MachinePath().Matches(file.Text))
        {
            yield return $"{file.At(match.Index)}: {match.Value} is a place of one machine";
        }
    }

    [GeneratedRegex(@"\b(class|struct|interface|record|enum)\s+(class\s+|struct\s+)?(?<name>\w*(Manager|Helpers?|Utils?|Utility|Utilities|Info|Data))\b")]
    private static partial Regex EmptyName();

    [GeneratedRegex(@"\b(TO" + @"DO|FIX" + @"ME|XX" + @"X|HA" + @"CK)\b")]
    private static partial Regex Note();

    [GeneratedRegex(@"(?<![\w.*])/(home|Users|work|root)/\w+")]
    private static partial Regex MachinePath();
}

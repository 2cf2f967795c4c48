namespace Penstock.Tests.Tidy;

/// <summary>A source file: as it is, and as code alone, where comments and the text of strings are blanks (lines stay where they are).</summary>
internal sealed class SourceFile(string path, string text)
{
    private string? _code;

    /// <summary>The path from the root of the repository, with slashes.</summary>
    public string Path => path;

    public string Text => text;

    public string Code => _code ??= CodeText.Strip(text);

    /// <summary>The folders and the name below <c>src/</c>.</summary>
    public string[] Parts => path.Split('/')[1..];

    public static int LineAt(string text, int index) => text.AsSpan(0, index).Count('\n') + 1;

    public string At(int index) => $"{path}:{LineAt(text, index)}";
}

namespace Penstock.Tests.Tidy;

/// <summary>The sources of this repository.</summary>
internal static class SourceTree
{
    private static readonly Lazy<string> s_root = new(FindRoot);

    public static IReadOnlyList<SourceFile> Sources { get; } = Read("src");

    public static IReadOnlyList<SourceFile> All { get; } = [.. Read("src"), .. Read("tests"), .. Read("bench")];

    public static IEnumerable<SourceFile> Library => Sources.Where(f => f.Path.StartsWith("src/Penstock/", StringComparison.Ordinal));

    /// <summary>The text of a document, by its path from the root of the repository.</summary>
    public static string Document(string path) => File.ReadAllText(Path.Combine(s_root.Value, path));

    private static List<SourceFile> Read(string folder)
    {
        string root = s_root.Value;
        if (!Directory.Exists(Path.Combine(root, folder)))
        {
            return [];
        }

        return [.. Directory.EnumerateFiles(Path.Combine(root, folder), "*.cs", SearchOption.AllDirectories)
            .Select(p => Path.GetRelativePath(root, p).Replace('\\', '/'))
            .Where(p => !p.Split('/').Any(part => part is "obj" or "bin"))
            .Order(StringComparer.Ordinal)
            .Select(p => new SourceFile(p, File.ReadAllText(Path.Combine(root, p))))];
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Penstock.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("These tests read the sources: run them from inside the repository.");
    }
}

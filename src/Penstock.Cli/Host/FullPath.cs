namespace Penstock.Cli.Host;

/// <summary>The one name of a directory, without symbolic links; never asks the file system that is mounted on it.</summary>
internal static class FullPath
{
    private const int MaxLinks = 40;

    public static string Of(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return Path.GetDirectoryName(full) is { } parent ? Path.Combine(Resolve(parent, MaxLinks), Path.GetFileName(full)) : full;
    }

    private static string Resolve(string directory, int linksLeft)
    {
        if (Path.GetDirectoryName(directory) is not { } parent || linksLeft == 0)
        {
            return directory;
        }

        string path = Path.Combine(Resolve(parent, linksLeft), Path.GetFileName(directory));
        return new DirectoryInfo(path).LinkTarget is { } target
            ? Resolve(Path.GetFullPath(target, Path.GetDirectoryName(path)!), linksLeft - 1)
            : path;
    }
}

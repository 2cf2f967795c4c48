namespace Penstock.Cli.Naming;

/// <summary>A file in a volume as users name it: <c>VOLUME:/PATH</c>.</summary>
/// <param name="Volume">The volume: a path, <c>path#N</c>, or <c>mem:SIZE</c>.</param>
/// <param name="Path">The path in it, from its root.</param>
internal readonly record struct VolumePath(string Volume, string Path)
{
    /// <summary>The last name of the path; empty for the root.</summary>
    public string Name => Path.TrimEnd('/') is var path ? path[(path.LastIndexOf('/') + 1)..] : string.Empty;

    /// <summary>Whether the path ends in a slash, and so must be a directory.</summary>
    public bool MustBeDirectory => Path.EndsWith('/');

    /// <summary>
    /// Reads <c>VOLUME:/PATH</c>. Where the text could be split in several places, the volume that exists counts, then the first place.
    /// </summary>
    public static bool TryParse(string text, out VolumePath path)
    {
        path = default;
        int first = -1;
        for (int i = text.IndexOf(":/", StringComparison.Ordinal); i > 0; i = text.IndexOf(":/", i + 1, StringComparison.Ordinal))
        {
            first = first < 0 ? i : first;
            if (File.Exists(text[..i]))
            {
                first = i;
                break;
            }
        }

        if (first > 0)
        {
            path = new VolumePath(text[..first], text[(first + 1)..]);
            return true;
        }

        if (text.Length > 1 && text.EndsWith(':') && text != "mem:")
        {
            path = new VolumePath(text[..^1], "/");
            return true;
        }

        return false;
    }

    /// <summary>Reads <c>VOLUME</c> or <c>VOLUME:/PATH</c>.</summary>
    public static VolumePath ParseWithDefault(string text) => TryParse(text, out VolumePath path) ? path : new VolumePath(text, "/");

    /// <summary>Reads <c>VOLUME:/PATH</c>.</summary>
    /// <exception cref="UsageException">There is no path in it.</exception>
    public static VolumePath Parse(string text) => TryParse(text, out VolumePath path)
        ? path
        : throw new UsageException($"'{text}' names no file in a volume; write VOLUME:/PATH, such as disk.img:/etc/hosts");

    /// <summary>The path of an entry of this directory.</summary>
    public VolumePath Append(string name) => this with { Path = Join(Path, name) };

    public static string Join(string directory, string name) => directory.EndsWith('/') ? directory + name : $"{directory}/{name}";

    public override string ToString() => $"{Volume}:{Path}";
}

using System.Globalization;
using System.Text;

namespace Penstock.Cli.Host;

/// <summary>What the kernel has mounted, as this process sees it.</summary>
internal static class MountTable
{
    /// <summary>The Penstock mount on a directory, or null.</summary>
    public static MountEntry? Find(string directory)
    {
        MountEntry? found = null;
        foreach (string line in File.ReadLines("/proc/self/mountinfo"))
        {
            if (Parse(line) is { } entry && entry.Directory == directory)
            {
                // The last one lies on top.
                found = entry;
            }
        }

        return found is { Type: var type } && type.StartsWith("fuse", StringComparison.Ordinal) ? found : null;
    }

    /// <summary>Reads a line: id, parent, device, root, directory, options, optional fields, "-", type, source, options.</summary>
    public static MountEntry? Parse(string line)
    {
        string[] fields = line.Split(' ');
        int dash = Array.IndexOf(fields, "-", 6 <= fields.Length ? 6 : 0);
        if (dash < 6 || dash + 2 >= fields.Length)
        {
            return null;
        }

        uint? user = null;
        foreach (string option in fields[^1].Split(','))
        {
            if (option.StartsWith("user_id=", StringComparison.Ordinal)
                && uint.TryParse(option.AsSpan(8), NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
            {
                user = id;
            }
        }

        return new MountEntry(Unescape(fields[4]), fields[dash + 1], Unescape(fields[dash + 2]), user);
    }

    /// <summary>Spaces and their like stand as three octal digits.</summary>
    private static string Unescape(string field)
    {
        if (!field.Contains('\\'))
        {
            return field;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(field);
        int length = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            bool isEscape = bytes[i] == '\\' && i + 3 < bytes.Length;
            bytes[length++] = isEscape ? (byte)(((bytes[i + 1] - '0') << 6) | ((bytes[i + 2] - '0') << 3) | (bytes[i + 3] - '0')) : bytes[i];
            i += isEscape ? 3 : 0;
        }

        return Encoding.UTF8.GetString(bytes, 0, length);
    }
}

/// <summary>One mount.</summary>
internal sealed record MountEntry(string Directory, string Type, string Source, uint? UserId);

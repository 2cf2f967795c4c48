using System.Security.Cryptography;
using Xunit;

namespace Penstock.Outside.Volumes;

/// <summary>
/// Everything a folder holds, one line for each thing: kind and mode, owner, size, links, device numbers, times to the nanosecond, target, extended
/// attributes and ACLs, and the hash of the contents. Two trees are the same if their listings are.
/// </summary>
internal static class TreeListing
{
    /// <summary>Lists a tree.</summary>
    /// <param name="root">The folder.</param>
    /// <param name="isSameVolume">Whether both sides are the same volume, so that inode numbers, change times and sizes of folders must agree too.</param>
    public static SortedDictionary<string, string> Of(string root, bool isSameVolume = false)
    {
        string more = isSameVolume ? " %i %.9Z %.9W" : string.Empty;
        string format = $"%n\\t%f %u %g %s %h %t:%T %.9Y{more} %b\\0";
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        string output = Script.Run(root, $"find . -path ./lost+found -prune -o -print0 | xargs -0 -r stat --printf '{format}'", 300);
        foreach (string line in output.Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            int tab = line.LastIndexOf('\t');
            lines[line[..tab]] = Describe(root, line[..tab], line[(tab + 1)..], isSameVolume);
        }

        foreach ((string name, string attributes) in Attributes(root))
        {
            if (lines.TryGetValue(name, out string? line))
            {
                lines[name] = $"{line} {attributes}";
            }
        }

        return lines;
    }

    public static void AssertSame(SortedDictionary<string, string> expected, SortedDictionary<string, string> actual)
    {
        IEnumerable<string> missing = expected.Where(e => !actual.ContainsKey(e.Key)).Select(e => $"missing: {e.Key}");
        IEnumerable<string> extra = actual.Where(a => !expected.ContainsKey(a.Key)).Select(a => $"extra: {a.Key}");
        IEnumerable<string> different = expected.Where(e => actual.TryGetValue(e.Key, out string? a) && a != e.Value)
            .Select(e => $"different: {e.Key}\n  {e.Value}\n  {actual[e.Key]}");
        string[] found = [.. missing.Concat(extra).Concat(different)];
        Assert.True(found.Length == 0, $"{found.Length} of {expected.Count} differ:\n{string.Join('\n', found.Take(30))}");
    }

    private static string Describe(string root, string name, string facts, bool isSameVolume)
    {
        string path = Path.Combine(root, name);
        string[] words = facts.Split(' ');
        int kind = Convert.ToInt32(words[0], 16) & 0xF000;
        string blocks = words[^1];
        string rest = string.Join(' ', words[..^1]);
        switch (kind)
        {
            case 0x8000:
                using (FileStream file = File.OpenRead(path))
                {
                    rest += $" {Convert.ToHexStringLower(SHA256.HashData(file))}";
                }

                break;
            case 0xA000:
                rest += $" -> {new FileInfo(path).LinkTarget}";
                break;
            case 0x4000 when !isSameVolume:
                // What a folder takes, and how many subfolders' links it counts, is its file system's own business.
                rest = string.Join(' ', words.Where((_, i) => i is not (3 or 4) && i != words.Length - 1));
                break;
            default:
                break;
        }

        return isSameVolume ? $"{rest} {blocks}" : rest;
    }

    private static IEnumerable<(string Name, string Attributes)> Attributes(string root)
    {
        Needs.Tools("getfattr");
        string output = Script.Run(root, "getfattr -R -P -h -d -m - -e hex . 2>/dev/null || true", 300);
        foreach (string block in output.Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            string[] lines = block.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            string name = Unescape(lines[0]["# file: ".Length..]);
            yield return (name == "." ? "." : $"./{name}", string.Join(' ', lines[1..].Order(StringComparer.Ordinal)));
        }
    }

    /// <summary>getfattr writes odd bytes of a name as \ooo.</summary>
    private static string Unescape(string name)
    {
        var bytes = new List<byte>();
        byte[] raw = System.Text.Encoding.UTF8.GetBytes(name);
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] == '\\' && i + 3 < raw.Length)
            {
                bytes.Add((byte)(((raw[i + 1] - '0') << 6) | ((raw[i + 2] - '0') << 3) | (raw[i + 3] - '0')));
                i += 3;
            }
            else
            {
                bytes.Add(raw[i]);
            }
        }

        return System.Text.Encoding.UTF8.GetString(bytes.ToArray());
    }
}

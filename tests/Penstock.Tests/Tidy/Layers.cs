using System.Text.RegularExpressions;

namespace Penstock.Tests.Tidy;

/// <summary>Dependencies point down only: the table of ARCHITECTURE.md, and the few knots in it that are deliberate.</summary>
internal static partial class Layers
{
    private const string Base = "Faults Checksums Execution Memory";
    private const string Middle = $"{Base} Locking Devices Mapping";
    private const string Upper = $"{Middle} Journal Caching DirectIO";

    /// <summary>What each room of the library may name, besides itself.</summary>
    private static readonly Dictionary<string, string> s_rooms = new(StringComparer.Ordinal)
    {
        ["Faults"] = "",
        ["Checksums"] = "",
        ["Execution"] = "Faults Memory",
        ["Memory"] = "Faults Execution",
        ["Locking"] = Base,
        ["Devices"] = $"{Base} Locking Uring",
        ["Mapping"] = $"{Base} Locking Devices",
        ["Journal"] = Middle,
        ["Caching"] = $"{Middle} Journal",
        ["DirectIO"] = $"{Middle} Journal",
        ["Files"] = Upper,
        ["Ext4"] = $"{Upper} Files",
        [""] = $"{Upper} Files Ext4 Uring",
    };

    /// <summary>The rooms of ext4 that stand on nothing: pure bytes.</summary>
    private static readonly Dictionary<string, string> s_formatRooms = new(StringComparer.Ordinal)
    {
        ["Ext4/Format"] = "Faults Checksums Mapping Files",
        ["Journal/Format"] = "Faults Checksums",
    };

    /// <summary>Arrows that point up on purpose: the room, and the full names it may use.</summary>
    private static readonly Dictionary<string, string[]> s_knots = new(StringComparer.Ordinal)
    {
        // The page cache keeps its pages by inode: pages, locks and size of a file are one protocol.
        ["Caching"] = ["Files"],

        // A scheduler carries the lock recorder of its tests.
        ["Execution"] = ["Locking.LockRecorder"],

        // The block mapper's contract takes the handle in which the metadata changes.
        ["Mapping"] = ["Journal"],
    };

    public static IEnumerable<string> Check(SourceFile file) => file.Parts[0] switch
    {
        "Penstock" => CheckLibrary(file),
        "Penstock.Uring" => Named(file).Where(n => !n.Name.StartsWith("Uring", StringComparison.Ordinal)).Select(n => Tell(file, n, "Penstock.Uring")),
        "Penstock.Fuse" => Named(file)
            .Where(n => n.Name.StartsWith("Cli", StringComparison.Ordinal) || n.Name.StartsWith("Stress", StringComparison.Ordinal))
            .Select(n => Tell(file, n, "Penstock.Fuse")),
        "Penstock.Stress" => Named(file)
            .Where(n => n.Name.StartsWith("Cli", StringComparison.Ordinal) || n.Name.StartsWith("Fuse", StringComparison.Ordinal))
            .Select(n => Tell(file, n, "Penstock.Stress")),
        _ => [],
    };

    private static IEnumerable<string> CheckLibrary(SourceFile file)
    {
        string room = file.Parts.Length > 2 ? file.Parts[1] : "";
        string inner = file.Parts.Length > 3 ? $"{room}/{file.Parts[2]}" : "";
        if (!s_rooms.TryGetValue(room, out string? allowed))
        {
            return [$"{file.Path}: the room {room} is not in the table"];
        }

        string[] rooms = (s_formatRooms.GetValueOrDefault(inner) ?? allowed).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] knots = s_knots.GetValueOrDefault(room) ?? [];
        string own = inner.Length > 0 && s_formatRooms.ContainsKey(inner) ? inner.Replace('/', '.') : room;
        return Named(file)
            .Where(n => !IsIn(n.Name, own) && !Array.Exists(rooms, r => IsIn(n.Name, r)) && !Array.Exists(knots, k => IsIn(n.Name, k)))
            .Select(n => Tell(file, n, inner.Length > 0 ? inner : room));
    }

    private static bool IsIn(string name, string room) =>
        room.Length > 0 && (name == room || name.StartsWith($"{room}.", StringComparison.Ordinal));

    private static string Tell(SourceFile file, (string Name, int Index) named, string room) =>
        $"{file.At(named.Index)}: {(room.Length == 0 ? "the face" : room)} may not name {named.Name}";

    /// <summary>
    /// Every room that is named: with using, in full, or, since all share the outermost namespace, as <c>Locking.LockRank</c>.
    /// </summary>
    private static IEnumerable<(string Name, int Index)> Named(SourceFile file)
    {
        foreach (Match match in FullName().Matches(file.Code))
        {
            if (!IsOwnNamespace(file.Code, match.Index))
            {
                yield return (match.Groups["name"].Value, match.Index);
            }
        }

        foreach (Match match in ShortName().Matches(file.Code))
        {
            yield return (match.Groups["name"].Value, match.Index);
        }
    }

    private static bool IsOwnNamespace(string code, int index)
    {
        int start = code.LastIndexOf('\n', Math.Max(index - 1, 0)) + 1;
        return code.AsSpan(start, index - start).Trim().SequenceEqual("namespace");
    }

    [GeneratedRegex(@"\bPenstock\.(?<name>(Faults|Execution|Memory|Locking|Devices|Mapping|Journal|Caching|DirectIO|Files|Ext4|Uring|Fuse|Stress|Cli)(\.\w+)*)")]
    private static partial Regex FullName();

    // "Files.Inode" is a room and a type of it; "x.Files.Inode" and "Journal.BeginAsync(" (a property) are not.
    [GeneratedRegex(@"(?<![\w.?!)\]])(?<name>(Locking|Devices|Caching|DirectIO|Files|Ext4|Fuse|Stress|Cli)\.[A-Z]\w*)(?!\w*\()")]
    private static partial Regex ShortName();
}

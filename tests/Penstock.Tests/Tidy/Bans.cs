using System.Text.RegularExpressions;

namespace Penstock.Tests.Tidy;

/// <summary>What the core never calls: a second source of time, order or chance would be out of the simulator's sight.</summary>
internal static partial class Bans
{
    /// <summary>Files that may make a thread, and why.</summary>
    private static readonly Dictionary<string, string> s_threads = new(StringComparer.Ordinal)
    {
        ["src/Penstock.Fuse/Transport/DeviceTransport.cs"] = "reads of /dev/fuse block",
        ["src/Penstock.Stress/Fsx/WorkerThreads.cs"] = "each worker blocks, as the programs do that it stands for",
        ["src/Penstock.Stress/AioStress/AioThreads.cs"] = "the same, and one that submits for all who share a context",
        ["src/Penstock.Fuse/Session/FuseNotifier.cs"] = "a notification may wait for the kernel, and so for our own answers",
    };

    public static IEnumerable<string> Check(SourceFile file)
    {
        if (file.Path.StartsWith("src/Penstock/Execution/", StringComparison.Ordinal))
        {
            return [];
        }

        bool isLibrary = file.Path.StartsWith("src/Penstock/", StringComparison.Ordinal);
        bool isCli = file.Path.StartsWith("src/Penstock.Cli/", StringComparison.Ordinal);
        IEnumerable<string> found = isCli ? [] : Find(file, OtherOrder(), "leaves the seam of Execution");
        if (isLibrary)
        {
            found = found.Concat(Find(file, OtherTime(), "is a clock, a random number or a hash of its own"))
                .Concat(Find(file, Blocks(), "blocks a thread or skips the seam"));
        }

        return isCli || s_threads.ContainsKey(file.Path) ? found : found.Concat(Find(file, Threads(), "makes a thread"));
    }

    private static IEnumerable<string> Find(SourceFile file, Regex banned, string why) =>
        banned.Matches(file.Code).Select(m => $"{file.At(m.Index)}: {m.Value.Trim()} {why}");

    [GeneratedRegex(@"\bTask\.Run\b|\bTask\.Factory\b|\bParallel\.\w+|\bThreadPool\.\w+")]
    private static partial Regex OtherOrder();

    [GeneratedRegex(@"\bDateTime(Offset)?\.(Utc)?Now\b|\bStopwatch\b|\bnew Random\b|\bRandom\.Shared\b|\bTickCount(64)?\b|\bGuid\.(NewGuid|CreateVersion7)\b"
        + @"|\bRandomNumberGenerator\b|\.GetHashCode\(|\bTimeProvider\b|\bPath\.GetRandomFileName\b")]
    private static partial Regex OtherTime();

    [GeneratedRegex(@"(?<!await )\b\w*[Aa]sync\([^;{}]*?\)\.Result\b|\b[Tt]ask\w*\.Result\b|\b[Tt]asks?\w*\.Wait\w*\(|\bThread\.(Sleep|Yield)\b|\bTask\.(Delay|WhenAny|Yield)\b"
        + @"|\bnew (Threading\.)?(Timer|SemaphoreSlim|TaskCompletionSource)\b")]
    private static partial Regex Blocks();

    [GeneratedRegex(@"\bnew Thread\b")]
    private static partial Regex Threads();
}

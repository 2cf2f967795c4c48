using System.Diagnostics;
using System.Globalization;

namespace Penstock.Simulation.Threads;

/// <summary>Looks for a mutant with real threads, in a process of its own: what a broken rule leaves may end the process, or hold it for ever.</summary>
internal static class RaceHunt
{
    private const int Found = 1;

    /// <summary>The mutants that real threads find at once, over and over: the races of locks, of the size, of pages and of blocks that go.</summary>
    public static IReadOnlyList<string> Sure { get; } =
    [
        "extending-write-holds-lock",
        "append-takes-end-under-lock",
        "size-after-completion",
        "invalidate-after-write",
        "truncate-drains-gate",
        "gate-held-until-completion",
        "direct-read-flushes",
        "buffered-write-waits-for-direct-io",
    ];

    /// <summary>Whether it was found in so many operations, in how many seconds, and what was seen.</summary>
    public static (bool IsFound, double Seconds, string What) Run(Mutant mutant, long operations)
    {
        var watch = Stopwatch.StartNew();
        string[] arguments = ["race-test", "--mutant", mutant.Name, "--operations", operations.ToString(CultureInfo.InvariantCulture)];
        var start = new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        string first = (output + errors.GetAwaiter().GetResult()).Split('\n', 2)[0];
        return (process.ExitCode == Found || process.ExitCode > 2, watch.Elapsed.TotalSeconds, first);
    }
}

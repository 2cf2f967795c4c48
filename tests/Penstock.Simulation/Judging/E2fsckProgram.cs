using System.Diagnostics;

namespace Penstock.Simulation.Judging;

/// <summary>e2fsck, the judge of volumes from outside.</summary>
internal static class E2fsckProgram
{
    private static readonly string[] s_places = ["/usr/sbin/e2fsck", "/sbin/e2fsck", "/usr/bin/e2fsck"];

    /// <summary>Where it is; null where it is not installed.</summary>
    public static string? Path { get; } = Array.Find(s_places, File.Exists);

    /// <summary>Runs it on a file.</summary>
    public static (int ExitCode, string Output) Run(string program, string options, string path)
    {
        var start = new ProcessStartInfo(program, [options, path]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }
}

using System.Diagnostics;
using Xunit;

namespace Penstock.Outside.Fuse;

/// <summary>Runs programs that nobody here wrote. Whatever touches a mount of this process must run in another, or both would wait for each other.</summary>
internal static class Shell
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    /// <summary>Runs a command that must succeed; its output.</summary>
    public static string Run(string command)
    {
        (int code, string output) = Try(command);
        Assert.True(code == 0, $"{command}: exit code {code}: {output}");
        return output;
    }

    /// <summary>Runs a command that must fail, and say why.</summary>
    public static void Fails(string command, string complaint)
    {
        (int code, string output) = Try(command);
        Assert.True(code != 0, $"{command} succeeded: {output}");
        Assert.Contains(complaint, output, StringComparison.Ordinal);
    }

    /// <summary>Runs a command: its exit code, and what it said on both streams.</summary>
    public static (int Code, string Output) Try(string command)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", $"({command}) 2>&1"]) { RedirectStandardOutput = true };
        start.Environment["LC_ALL"] = "C";
        start.Environment["TZ"] = "UTC";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{command} still runs after {s_patience}");
        }

        return (process.ExitCode, output.GetAwaiter().GetResult());
    }
}

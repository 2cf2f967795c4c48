using System.Diagnostics;
using Xunit;

namespace Penstock.Outside;

/// <summary>Runs scripts with a limit of time: a mount that hangs must not hang its tests.</summary>
internal static class Script
{
    /// <summary>"refused COMMAND" ends a script where the command succeeds: bash -e does not stop at "! COMMAND".</summary>
    private const string Refused = "refused() { if \"$@\"; then echo \"not refused: $*\" >&2; exit 1; fi; }\n";

    /// <summary>Runs a script that must succeed, in a folder; returns what it wrote.</summary>
    public static string Run(string folder, string script, int seconds = 120)
    {
        (int code, string output) = TryRun(folder, script, seconds);
        string why = code is 124 or 137 ? $"was stopped after {seconds} s" : $"returned {code}";
        Assert.True(code == 0, $"A script {why}:\n{Shorten(output)}\nthe script:\n{script}");
        return output;
    }

    /// <summary>Runs a script to its end, or to the limit; the exit code is then 124 or 137.</summary>
    public static (int ExitCode, string Output) TryRun(string folder, string script, int seconds = 120)
    {
        string[] arguments = ["-k", "5", $"{seconds}", "bash", "-eu", "-o", "pipefail", "-c", Refused + script];
        var start = new ProcessStartInfo("timeout", arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        start.Environment["PATH"] = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin";
        start.Environment["LC_ALL"] = "C";
        start.Environment["HOME"] = Path.GetTempPath();
        start.Environment.Remove("DOTNET_TieredPGO");
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }

    private static string Shorten(string output) => output.Length < 6000 ? output : $"{output[..2000]}\n[…]\n{output[^4000..]}";
}

using System.Diagnostics;

namespace Penstock.Outside;

/// <summary>Runs a program that nobody here wrote, and keeps what it said.</summary>
internal static class OutsideProgram
{
    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its exit code, and what it wrote to both of its outputs.</returns>
    public static (int ExitCode, string Output) TryRun(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin";
        start.Environment["LC_ALL"] = "C";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }

    /// <summary>Runs a program that must succeed.</summary>
    public static string Run(string program, params string[] arguments)
    {
        (int code, string output) = TryRun(program, arguments);
        Xunit.Assert.True(code == 0, $"{program} {string.Join(' ', arguments)} returned {code}:\n{output}");
        return output;
    }
}

using System.Diagnostics;
using System.Globalization;

namespace Penstock.Bench.Comparing;

/// <summary>Runs other programs.</summary>
internal static class Tool
{
    /// <summary>What a program prints.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message has what it said.</exception>
    public static async Task<string> RunAsync(string program, params string[] arguments) => (await RunBothAsync(program, arguments)).Output;

    /// <summary>How long a command takes from its start to its end, and the processor time of it and its children: one operation.</summary>
    public static async Task<Sample> TimeAsync(string command)
    {
        (_, string error) = await RunBothAsync("/bin/bash", ["-c", $"TIMEFORMAT='%3R %3U %3S'; time ( {command} ) >/dev/null"]);

        // The last line is the shell's; the command may have said something before.
        double[] parts = [.. error.Trim().Split('\n')[^1].Split(' ').Select(t => double.Parse(t, CultureInfo.InvariantCulture))];
        return new Sample(1 / Math.Max(parts[0], 0.001), (parts[1] + parts[2]) * 1e6, null, []);
    }

    private static async Task<(string Output, string Error)> RunBothAsync(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? (output, await error)
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: exit code {process.ExitCode}: {(await error).Trim()}");
    }
}

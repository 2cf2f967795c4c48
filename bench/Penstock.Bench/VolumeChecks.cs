using System.Diagnostics;

namespace Penstock.Bench;

/// <summary>The check of a volume in process, beside <c>e2fsck -fn</c> on the same volume, turn by turn.</summary>
internal static class VolumeChecks
{
    private const int Rounds = 5;

    public static async Task<int> RunAsync(string image)
    {
        var ours = new List<double>();
        var theirs = new List<double>();
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            TimeSpan processor = Environment.CpuUsage.TotalTime;
            CheckReport report = await VolumeCheck.RunAsync(image);
            ours.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            processor = Environment.CpuUsage.TotalTime - processor;
            start = Stopwatch.GetTimestamp();
            using Process e2fsck = Process.Start(new ProcessStartInfo("e2fsck", ["-fn", image]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> errors = e2fsck.StandardError.ReadToEndAsync();
            await e2fsck.StandardOutput.ReadToEndAsync();
            await errors;
            await e2fsck.WaitForExitAsync();
            theirs.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            Console.WriteLine(
                $"{report.Verdict} {ours[^1]:F2} s, {processor.TotalSeconds:F2} s of processor; e2fsck {e2fsck.ExitCode} {theirs[^1]:F2} s");
        }

        Console.WriteLine($"{Median(ours)} against {Median(theirs)} s, medians; {Environment.WorkingSet >> 20} MiB");
        return 0;

        static string Median(List<double> seconds) => $"{seconds.Order().ElementAt(Rounds / 2):F2}";
    }
}

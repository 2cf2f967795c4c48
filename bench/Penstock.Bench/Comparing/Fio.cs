using System.Text.Json;

namespace Penstock.Bench.Comparing;

/// <summary>fio: the peer of direct I/O, and the program that uses mounts. On io_uring with a registered file unless the work names another engine.</summary>
internal static class Fio
{
    /// <param name="place">How long.</param>
    /// <param name="file">The file.</param>
    /// <param name="work">Further options, with spaces between them.</param>
    public static Task<Sample> RunAsync(Place place, string file, string work) =>
        RunOnceAsync(file, $"--time_based --ramp_time={place.WarmUp} --runtime={place.Seconds} {work}");

    /// <summary>Not for a time, but until the work is done.</summary>
    public static async Task<Sample> RunOnceAsync(string file, string work)
    {
        string[] common = ["--name=peer", "--output-format=json", "--norandommap", "--randrepeat=0", $"--filename={file}"];
        string[] engine = work.Contains("--ioengine", StringComparison.Ordinal) ? [] : ["--ioengine=io_uring", "--registerfiles=1"];
        string output = await Tool.RunAsync("fio", [.. common, .. engine, .. work.Split(' ')]);
        using JsonDocument parsed = JsonDocument.Parse(output[output.IndexOf('{')..]);
        double rate = 0;
        double processor = 0;
        long operations = 0;
        double[] latency = [];
        foreach (JsonElement job in parsed.RootElement.GetProperty("jobs").EnumerateArray())
        {
            double seconds = job.GetProperty("job_runtime").GetDouble() / 1000;
            processor += seconds * 1e4 * (job.GetProperty("usr_cpu").GetDouble() + job.GetProperty("sys_cpu").GetDouble());
            foreach (JsonElement side in new[] { job.GetProperty("read"), job.GetProperty("write") })
            {
                long count = side.GetProperty("total_ios").GetInt64();
                operations += count;
                rate += side.GetProperty("iops").GetDouble();
                if (count > 0 && side.GetProperty("clat_ns").TryGetProperty("percentile", out JsonElement percentiles))
                {
                    latency = [.. new[] { "50.000000", "99.000000", "99.900000" }.Select(p => percentiles.GetProperty(p).GetDouble() / 1000)];
                }
            }
        }

        return new Sample(rate, processor / Math.Max(operations, 1), null, latency) { Operations = operations };
    }
}

using System.Text.Json;

namespace Penstock.Bench.Comparing;

/// <summary>fio on io_uring: the peer of direct I/O.</summary>
internal static class Fio
{
    /// <param name="place">Where and how long.</param>
    /// <param name="file">The file, the part of it that is used, and whether it is direct.</param>
    /// <param name="work">As <c>--rw</c>, with block size and depth.</param>
    /// <param name="more">Further options.</param>
    public static async Task<Sample> RunAsync(Place place, string file, string work, params string[] more)
    {
        string[] fixedOptions =
        [
            "--name=peer", "--output-format=json", "--ioengine=io_uring", "--registerfiles=1", "--time_based", "--norandommap",
            "--randrepeat=0", $"--ramp_time={place.WarmUp}", $"--runtime={place.Seconds}", $"--filename={file}",
        ];
        string output = await Tool.RunAsync("fio", [.. fixedOptions, .. work.Split(' '), .. more]);
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
                if (count > 0)
                {
                    JsonElement percentiles = side.GetProperty("clat_ns").GetProperty("percentile");
                    latency = [.. new[] { "50.000000", "99.000000", "99.900000" }.Select(p => percentiles.GetProperty(p).GetDouble() / 1000)];
                }
            }
        }

        return new Sample(rate, processor / Math.Max(operations, 1), null, latency);
    }
}

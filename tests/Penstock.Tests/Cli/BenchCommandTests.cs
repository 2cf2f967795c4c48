using System.Text.Json;
using Xunit;

namespace Penstock.Tests.Cli;

public sealed class BenchCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("penstock-bench").FullName;

    private string Image => Path.Combine(_folder, "disk.img");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("read")]
    [InlineData("write", "--dsync")]
    [InlineData("randread", "--direct")]
    [InlineData("randwrite", "--direct", "--jobs", "2")]
    [InlineData("randrw", "--preread")]
    [InlineData("randread", "--blocking")]
    [InlineData("randwrite", "--blocking", "--direct")]
    [InlineData("randrw", "--direct", "--registered")]
    public async Task A_measurement_makes_its_file_and_says_all_as_json(string pattern, params string[] more)
    {
        Assert.Equal(0, (await CommandRun.OfAsync("mkfs", Image, "32M")).ExitCode);
        foreach (string target in new[] { $"{Image}:/file", Path.Combine(_folder, "plain") })
        {
            CommandRun run = await CommandRun.OfAsync(
                ["bench", target, "--rw", pattern, "--bs", "8k", "--size", "1M", "--depth", "4", "--time", "0.05", "--warm-up", "0", "--json", .. more]);
            Assert.Equal((0, ""), (run.ExitCode, run.Error));
            using JsonDocument parsed = JsonDocument.Parse(run.Output);
            JsonElement root = parsed.RootElement;
            double rate = root.GetProperty("iops").GetDouble();
            Assert.True(rate > 0);
            Assert.Equal(rate * 8192, root.GetProperty("bytes_per_second").GetDouble(), tolerance: 8192);
            JsonElement latency = root.GetProperty("latency_us");
            double[] percentiles = [.. new[] { "p50", "p99", "p999", "max" }.Select(p => latency.GetProperty(p).GetDouble())];
            Assert.Equal(percentiles.Order(), percentiles);
            Assert.True(percentiles[0] > 0);
            Assert.True(root.GetProperty("cpu_us_per_op").GetDouble() > 0);
            Assert.True(root.GetProperty("allocated_bytes_per_op").GetDouble() >= 0);
            Assert.Contains(target.EndsWith(":/file", StringComparison.Ordinal) ? "in process" : "file of the host", root.GetProperty("device").GetString());
        }

        CommandRun listing = await CommandRun.OfAsync("stat", $"{Image}:/file");
        Assert.Contains("1048576", listing.Output);
    }

    [Theory]
    [InlineData("'sideways' is no pattern", "--rw", "sideways")]
    [InlineData("'many' is no size", "--bs", "many")]
    [InlineData("--depth is 0", "--depth", "0")]
    [InlineData("--jobs is 0", "--jobs", "0")]
    [InlineData("--time is 0", "--time", "0")]
    [InlineData("--depth times --jobs is 8192", "--depth", "64", "--jobs", "128")]
    [InlineData("less than a request for each job", "--size", "4k", "--bs", "8k")]
    public async Task A_measurement_that_makes_no_sense_is_wrong_usage(string what, params string[] arguments)
    {
        CommandRun run = await CommandRun.OfAsync(["bench", Path.Combine(_folder, "plain"), .. arguments]);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(what, run.Error);
    }
}

using System.Text.Json;

namespace Penstock.Bench.Comparing;

/// <summary>One run of <c>penstock bench</c>: our side, and what .NET's RandomAccess does on a file of the host.</summary>
internal static class PenstockBench
{
    public static async Task<Sample> RunAsync(Place place, string target, string work)
    {
        string output = await Tool.RunAsync(
            place.Penstock, ["bench", target, "--json", "--time", place.Seconds, "--warm-up", place.WarmUp, .. work.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
        using JsonDocument parsed = JsonDocument.Parse(output);
        JsonElement root = parsed.RootElement;
        JsonElement latency = root.GetProperty("latency_us");
        return new Sample(
            root.GetProperty("iops").GetDouble(),
            root.GetProperty("cpu_us_per_op").GetDouble(),
            root.GetProperty("allocated_bytes_per_op").GetDouble(),
            [latency.GetProperty("p50").GetDouble(), latency.GetProperty("p99").GetDouble(), latency.GetProperty("p999").GetDouble()]);
    }
}

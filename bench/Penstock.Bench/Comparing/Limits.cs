using System.Globalization;

namespace Penstock.Bench.Comparing;

/// <summary>Limits of time and memory. Each is measured in a process of its own, which prints what it found.</summary>
internal static class Limits
{
    /// <summary>What a program that uses the library takes beside its page cache: the runtime, code, buffers on their way, metadata.</summary>
    private const int Constant = 128;
    private const int Budget = 512;

    private static readonly (Limit[] Limits, Func<Place, Task<double[]>> Measure)[] s_all =
    [
        ([new Limit("open-15t-time", "opening a volume of 15 TiB", 100, "ms"), new Limit("open-15t-memory", "peak of resident memory of a process that opened it", 64, "MiB")],
            OpenAsync),
        ([new Limit("write-4g-memory", $"peak of resident memory under a buffered write of 4 GiB with {Budget} MiB of page cache", Budget + Constant, "MiB")], FillAsync),
    ];

    public static IEnumerable<Limit> All => s_all.SelectMany(l => l.Limits);

    public static async Task RunAsync(Place place, CompareOptions options, CompareReport report)
    {
        foreach ((Limit[] limits, Func<Place, Task<double[]>> measure) in s_all)
        {
            if (limits.Any(l => options.Wants(l.Name)))
            {
                double[] found = await measure(place);
                for (int i = 0; i < limits.Length; i++)
                {
                    report.AddLimit(limits[i], found[i]);
                }
            }
        }
    }

    private static async Task<double[]> OpenAsync(Place place)
    {
        string image = place.InFolder("large.img");
        await Tool.RunAsync(place.Penstock, "mkfs", "-q", image, "15T");
        double[] found = Parse(await Tool.RunAsync(Environment.ProcessPath!, "open", place.Image, image));
        File.Delete(image);
        return found;
    }

    private static async Task<double[]> FillAsync(Place place)
    {
        string image = place.InFolder("filled4g.img");
        await Tool.RunAsync(place.Penstock, "mkfs", "-q", image, "5G");
        double[] found = Parse(await Tool.RunAsync(Environment.ProcessPath!, "fill", image, $"{4L << 30}", $"{(long)Budget << 20}"));
        File.Delete(image);
        return found;
    }

    private static double[] Parse(string output) => [.. output.Trim().Split(' ').Select(t => double.Parse(t, CultureInfo.InvariantCulture))];
}

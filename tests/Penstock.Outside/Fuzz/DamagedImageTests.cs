using System.Globalization;
using Xunit;

namespace Penstock.Outside.Fuzz;

/// <summary>
/// Images with damaged metadata, used as programs use volumes: typed errors only, no hang, bounded memory, and no change after damage was met.
/// A failure names its seed; PENSTOCK_FUZZ_SEED=SEED runs that one alone.
/// </summary>
[Collection(nameof(DamagedImageTests))]
public sealed class DamagedImageTests
{
    private const long MostAllocatedBytes = 512L << 20;

    // A watchdog against hangs, far above what a case takes.
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(2);

    private static readonly bool s_isLong = Environment.GetEnvironmentVariable("PENSTOCK_LONG") == "1";

    public static TheoryData<int> Images => [.. Enumerable.Range(0, SampleImages.Count)];

    [Theory]
    [MemberData(nameof(Images))]
    public async Task Damage_of_any_metadata_ends_in_typed_errors(int index)
    {
        Needs.Tools("mkfs.ext4");
        byte[] sound = await SampleImages.MakeAsync(index);
        var map = new MetadataMap(sound);
        int? only = int.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_FUZZ_SEED"), CultureInfo.InvariantCulture, out int seed) ? seed : null;
        int count = int.TryParse(Environment.GetEnvironmentVariable("PENSTOCK_FUZZ_CASES"), CultureInfo.InvariantCulture, out int cases) ? cases : s_isLong ? 3000 : 80;
        byte[] image = new byte[sound.Length];
        var failures = new List<string>();
        for (int i = only ?? 0; i < (only + 1 ?? count) && failures.Count < 10; i++)
        {
            sound.CopyTo(image, 0);
            var random = new Random((index * 1_000_003) + i);
            string what = Damage.Do(image, map, random);
            if (await RunAsync(image, changes: i % 2 == 1, random) is { } failure)
            {
                failures.Add($"seed {i} of image {index} ({SampleImages.Describe(index)}): {what}\n{failure}");
            }
        }

        Assert.True(failures.Count == 0, string.Join("\n\n", failures));
    }

    private static async Task<string?> RunAsync(byte[] image, bool changes, Random random)
    {
        long before = GC.GetTotalAllocatedBytes();
        Task use = Task.Run(() => DamagedVolume.UseAsync(image, changes, random));
        if (await Task.WhenAny(use, Task.Delay(s_longest)) != use)
        {
            return "It did not end.";
        }

        try
        {
            await use;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return e.ToString();
        }

        long allocated = GC.GetTotalAllocatedBytes() - before;
        return allocated > MostAllocatedBytes ? $"It allocated {allocated >> 20} MiB." : null;
    }
}

/// <summary>Alone, so that what is allocated is its own.</summary>
[CollectionDefinition(nameof(DamagedImageTests), DisableParallelization = true)]
public sealed class DamagedImagesAlone;

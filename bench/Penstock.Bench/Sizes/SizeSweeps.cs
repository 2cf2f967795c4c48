using System.Diagnostics;
using Penstock.Devices;

namespace Penstock.Bench.Sizes;

/// <summary>What an operation costs as what it works on grows. On sparse volumes in memory, in this process: microseconds for each.</summary>
internal static class SizeSweeps
{
    private const int Block = 4096;
    private const int Rounds = 20_000;

    public static async Task<IReadOnlyList<SizeSweep>> RunAsync(bool isQuick) =>
    [
        await FilesAsync(),
        await ExtentsAsync(isQuick ? [1, 100, 10_000] : [1, 100, 10_000, 1_000_000]),
        await EntriesAsync(isQuick ? [10, 1_000, 10_000] : [10, 1_000, 100_000, 1_000_000]),
        await OpenFilesAsync(isQuick ? [1, 100, 1_000] : [1, 100, 10_000, 100_000]),
        await VolumesAsync(isQuick ? [1L << 30, 1L << 36] : [1L << 30, 1L << 36, 1L << 40, 15L << 40, 64L << 40]),
    ];

    /// <summary>Direct 4 KiB reads at random of allocated files.</summary>
    private static async Task<SizeSweep> FilesAsync()
    {
        var sweep = new SizeSweep("direct 4 KiB random read by length of the file");
        await using Volume volume = await MemoryVolume.MakeAsync(2L << 40);
        foreach (long length in new[] { 1L << 20, 1L << 25, 1L << 30, 1L << 35, 1L << 40 })
        {
            await using OpenFile file = await volume.OpenFileAsync("/file", FileMode.Create, FileAccess.ReadWrite, IoOptions.Direct);
            await file.ChangeRangeAsync(FileRangeChange.Allocate, 0, length);
            sweep.Add(Short(length), await ReadAsync(file, length / Block, stride: 1));
        }

        return sweep;
    }

    /// <summary>Direct 4 KiB reads at random of a file in pieces.</summary>
    private static async Task<SizeSweep> ExtentsAsync(int[] counts)
    {
        var sweep = new SizeSweep("direct 4 KiB random read by number of extents");
        await using Volume volume = await MemoryVolume.MakeAsync(16L << 30);
        foreach (int count in counts)
        {
            await using OpenFile file = await volume.OpenFileAsync($"/pieces{count}", FileMode.Create, FileAccess.ReadWrite, IoOptions.Direct);
            await MemoryVolume.FragmentAsync(file, count);
            sweep.Add($"{count}", await ReadAsync(file, count, stride: 2));
        }

        return sweep;
    }

    /// <summary>Look-ups at random in a directory.</summary>
    private static async Task<SizeSweep> EntriesAsync(int[] counts)
    {
        var sweep = new SizeSweep("stat of a file by entries of its directory");
        await using Volume volume = await MemoryVolume.MakeAsync(64L << 30);
        await volume.CreateDirectoryAsync("/many");
        int made = 0;
        foreach (int count in counts)
        {
            for (; made < count; made++)
            {
                await volume.CreateNodeAsync($"/many/entry{made}", FileKind.Pipe, (UnixFileMode)0x1A4);
            }

            ulong random = 1;
            sweep.Add($"{count}", await MeasureAsync(Math.Min(Rounds, 5000), async () => await volume.GetDetailsAsync($"/many/entry{Next(ref random) % (ulong)count}")));
        }

        return sweep;
    }

    /// <summary>One more open and close beside many open files.</summary>
    private static async Task<SizeSweep> OpenFilesAsync(int[] counts)
    {
        var sweep = new SizeSweep("open and close of a file by files open beside it");
        await using Volume volume = await MemoryVolume.MakeAsync(64L << 30);
        var open = new List<OpenFile>();
        await using (await volume.OpenFileAsync("/one", FileMode.Create, FileAccess.ReadWrite))
        {
        }

        foreach (int count in counts)
        {
            while (open.Count < count)
            {
                open.Add(await volume.OpenFileAsync($"/open{open.Count}", FileMode.Create, FileAccess.ReadWrite));
            }

            sweep.Add($"{count}", await MeasureAsync(5000, async () =>
            {
                await using OpenFile file = await volume.OpenFileAsync("/one", FileMode.Open, FileAccess.ReadWrite);
            }));
        }

        foreach (OpenFile file in open)
        {
            await file.DisposeAsync();
        }

        return sweep;
    }

    /// <summary>Opening and closing a volume.</summary>
    private static async Task<SizeSweep> VolumesAsync(long[] lengths)
    {
        var sweep = new SizeSweep("open and close of a volume by its length");
        foreach (long length in lengths)
        {
            BlockDevice device = await MemoryVolume.MakeDeviceAsync(length);
            sweep.Add(Short(length), await MeasureAsync(1, async () => await (await Volume.OpenAsync(device, VolumeOptions.Default)).DisposeAsync()));
        }

        return sweep;
    }

    private static async Task<double> ReadAsync(OpenFile file, long blocks, long stride)
    {
        using var buffer = new AlignedBuffer(Block);
        ulong random = 1;
        return await MeasureAsync(Rounds, async () => await file.ReadAsync(buffer.Memory, (long)(Next(ref random) % (ulong)blocks) * stride * Block));
    }

    /// <summary>Microseconds for each, the better of two runs where there are many.</summary>
    private static async Task<double> MeasureAsync(int rounds, Func<Task> use)
    {
        double best = double.MaxValue;
        for (int run = 0; run < (rounds > 1 ? 2 : 1); run++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < rounds; i++)
            {
                await use();
            }

            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / rounds);
        }

        return best;
    }

    private static ulong Next(ref ulong random)
    {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return random;
    }

    private static string Short(long bytes) => bytes >= 1L << 40 ? $"{bytes >> 40}T" : bytes >= 1 << 30 ? $"{bytes >> 30}G" : $"{bytes >> 20}M";
}

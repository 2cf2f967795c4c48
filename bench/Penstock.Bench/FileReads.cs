using System.Diagnostics;

namespace Penstock.Bench;

/// <summary>Random 4 KiB direct reads of a file in a volume, in process, from ordinary asynchronous code.</summary>
internal static class FileReads
{
    private const int Block = 4096;

    public static async Task<int> RunAsync(string image, string path, int depth, double seconds, IoOptions extra = IoOptions.None)
    {
        await using Volume volume = await Volume.OpenAsync(image, new VolumeOptions { IsReadOnly = true });
        await using OpenFile file = await volume.OpenFileAsync(path, FileMode.Open, FileAccess.Read, IoOptions.Direct | extra);
        Console.WriteLine($"{image}:{path}: {volume.DeviceDescription}");
        await MeasureAsync(file, depth, TimeSpan.FromSeconds(1));
        long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan processorBefore = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        long reads = await MeasureAsync(file, depth, TimeSpan.FromSeconds(seconds));
        double elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double processor = (Environment.CpuUsage.TotalTime - processorBefore).TotalMicroseconds;
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        Console.WriteLine(
            $"depth {depth}: {reads / elapsed:F0} reads/s, {processor / reads:F1} us of processor each, {allocated / (double)reads:F2} bytes allocated each");
        return 0;
    }

    private static async Task<long> MeasureAsync(OpenFile file, int depth, TimeSpan duration)
    {
        long end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        long[] counts = await Task.WhenAll(Enumerable.Range(0, depth).Select(i => ReadUntilAsync(file, i, end)));
        return counts.Sum();
    }

    private static async Task<long> ReadUntilAsync(OpenFile file, int seed, long end)
    {
        using var buffer = new AlignedBuffer(Block);
        var random = new Random(seed);
        long blocks = file.Length / Block;
        long count = 0;
        do
        {
            int bytes = await file.ReadAsync(buffer.Memory, random.NextInt64(blocks) * Block);
            if (bytes != Block)
            {
                throw new IOException($"{bytes} bytes");
            }

            count++;
        }
        while (Stopwatch.GetTimestamp() < end);
        return count;
    }
}

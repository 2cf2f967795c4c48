using System.Diagnostics;
using Penstock.Devices;
using Penstock.Memory;

namespace Penstock.Bench;

/// <summary>Random 4 KiB reads through a device from asynchronous code, to be set beside fio on the same file in the same run.</summary>
internal static class DeviceReads
{
    private const int Block = 4096;
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_measured = TimeSpan.FromSeconds(5);

    public static async Task<int> RunAsync(string path, int depth, bool isRegistered)
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(path, new DeviceOptions { IsReadOnly = true });
        using AlignedBuffer memory = isRegistered ? device.RentBuffer(Block * depth) : new AlignedBuffer(Block * depth);
        Console.WriteLine($"{device.Name}: {device.Description}; {memory.PlainReason ?? "registered memory"}");
        await MeasureAsync(device, memory, depth, s_warmUp);
        long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan processorBefore = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        long reads = await MeasureAsync(device, memory, depth, s_measured);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double processor = (Environment.CpuUsage.TotalTime - processorBefore).TotalMicroseconds;
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        Console.WriteLine(
            $"depth {depth}: {reads / seconds:F0} reads/s, {processor / reads:F1} us of processor each, {allocated / (double)reads:F2} bytes allocated each");
        return 0;
    }

    private static async Task<long> MeasureAsync(BlockDevice device, AlignedBuffer memory, int depth, TimeSpan duration)
    {
        long end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        long[] counts = await Task.WhenAll(Enumerable.Range(0, depth).Select(i => ReadUntilAsync(device, memory.Segment.Slice(i * Block, Block), i, end)));
        return counts.Sum();
    }

    private static async Task<long> ReadUntilAsync(BlockDevice device, IoSegment slot, int seed, long end)
    {
        var random = new Random(seed);
        long blocks = device.Length / Block;
        long count = 0;
        do
        {
            IoResult result = await device.ReadAsync(random.NextInt64(blocks) * Block, slot).ConfigureAwait(false);
            if (result.IsFailed)
            {
                throw new IOException(result.ToString());
            }

            count++;
        }
        while (Stopwatch.GetTimestamp() < end);

        return count;
    }
}

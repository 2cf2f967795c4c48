using System.Diagnostics;

namespace Penstock.Bench.Comparing;

/// <summary>The engine alone: a memory device under an open file, so that nothing but our own code is measured.</summary>
internal static class EngineRows
{
    private const int Block = 4096;
    private const int Length = 256 << 20;

    public static IReadOnlyList<Contest> All { get; } =
    [
        Contest.Of(
            new Row("engine-read", "direct 4 KiB random read of a memory device through an open file, awaited, one after the other", "a bare memory copy, timed as often", 1 / 3.0),
            static _ => ReadAsync(),
            static _ => Task.FromResult(MemoryCopy.Run(Length))),
    ];

    private static async Task<Sample> ReadAsync()
    {
        await using OpenFile file = await OpenFile.OpenDeviceAsync($"mem:{Length}", FileAccess.ReadWrite, IoOptions.Direct);
        using var buffer = new AlignedBuffer(1 << 20);
        buffer.Memory.Span.Fill(1);
        for (long offset = 0; offset < Length; offset += buffer.Length)
        {
            await file.WriteAsync(buffer.Memory, offset);
        }

        await ReadForAsync(file, buffer.Memory[..Block], TimeSpan.FromSeconds(0.5));
        long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan processorBefore = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        long count = await ReadForAsync(file, buffer.Memory[..Block], TimeSpan.FromSeconds(1));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double processor = (Environment.CpuUsage.TotalTime - processorBefore).TotalMicroseconds;
        return new Sample(count / seconds, processor / count, (GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore) / (double)count, []);
    }

    private static async Task<long> ReadForAsync(OpenFile file, Memory<byte> buffer, TimeSpan duration)
    {
        long end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        ulong random = 88172645463325252;
        long count = 0;
        do
        {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            await file.ReadAsync(buffer, (long)(random % (Length / Block)) * Block);
            count++;
        }
        while (Stopwatch.GetTimestamp() < end);
        return count;
    }
}

using System.Diagnostics;
using HdrHistogram;
using Penstock.Cli.Output;

namespace Penstock.Cli.Measuring;

/// <summary>One measurement: lays the file out, warms up, measures.</summary>
internal static class BenchRun
{
    private const int LayoutBlock = 1 << 20;

    public static async Task<BenchResult> RunAsync(BenchPlan plan, BenchTarget target, CancellationToken cancellationToken)
    {
        var lanes = new List<Lane>();
        try
        {
            MakeLanes(plan, target, lanes);
            if (!plan.IsOnce)
            {
                await RunLanesAsync(lanes, plan, plan.WarmUp);
            }

            cancellationToken.ThrowIfCancellationRequested();
            long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
            TimeSpan processorBefore = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            await RunLanesAsync(lanes, plan, plan.Duration);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            double processor = (Environment.CpuUsage.TotalTime - processorBefore).TotalMicroseconds;
            long allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;

            var latencies = new LongHistogram(60_000_000_000, 3);
            foreach (Lane lane in lanes)
            {
                latencies.Add(lane.Latencies);
            }

            return new BenchResult(latencies, seconds, processor, allocated);
        }
        finally
        {
            lanes.ForEach(lane => lane.Dispose());
        }
    }

    /// <summary>Writes what the file lacks of its length, so that no request meets a hole, and makes it durable.</summary>
    public static async Task LayOutAsync(BenchTarget target, long size, Terminal terminal, CancellationToken cancellationToken)
    {
        if (target.Length >= size)
        {
            return;
        }

        using var progress = new Progress(terminal, "laid out");
        using var buffer = new AlignedBuffer(LayoutBlock);
        new Random(1).NextBytes(buffer.Memory.Span);

        // From a whole block on, so that direct requests are aligned.
        for (long offset = target.Length / LayoutBlock * LayoutBlock; offset < size; offset += LayoutBlock)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = (int)Math.Min(LayoutBlock, size - offset);
            await target.WriteAsync(buffer.Memory[..length], offset);
            progress.AddBytes(length);
        }

        await target.FlushAsync();
    }

    /// <summary>Reads the file through once, so that requests of a cache find what they look for.</summary>
    public static async Task ReadThroughAsync(BenchTarget target, long size, CancellationToken cancellationToken)
    {
        using var buffer = new AlignedBuffer(LayoutBlock);
        for (long offset = 0; offset < size; offset += LayoutBlock)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await target.ReadAsync(buffer.Memory[..(int)Math.Min(LayoutBlock, size - offset)], offset);
        }
    }

    private static void MakeLanes(BenchPlan plan, BenchTarget target, List<Lane> lanes)
    {
        long part = plan.Blocks / plan.Jobs;
        for (int job = 0; job < plan.Jobs; job++)
        {
            LaneCursor cursor = plan.Pattern.Appends
                ? new LaneCursor(target.Length, long.MaxValue / plan.BlockSize, plan.BlockSize, isOnce: false)
                : new LaneCursor(job * part * plan.BlockSize, part, plan.BlockSize, plan.IsOnce);
            for (int i = 0; i < plan.Depth; i++)
            {
                lanes.Add(new Lane(plan, target, cursor, (ulong)lanes.Count + 1));
            }
        }
    }

    private static async Task RunLanesAsync(List<Lane> lanes, BenchPlan plan, TimeSpan duration)
    {
        long end = plan.IsOnce ? long.MaxValue : Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        if (!plan.IsBlocking)
        {
            // Started on the pool: one whose requests never wait would keep the others from starting.
            await Task.WhenAll(lanes.Select(lane => Task.Run(() => lane.RunAsync(end))));
            return;
        }

        await Task.WhenAll(lanes.Select(lane => Task.Factory.StartNew(
            () => lane.Run(end), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
    }
}

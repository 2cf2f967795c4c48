using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Penstock.Bench.Comparing;

/// <summary>A bare copy of 4 KiB blocks at random out of a large piece of memory, with the time taken at each, as a measurement of requests does.</summary>
internal static unsafe class MemoryCopy
{
    private const int Block = 4096;

    public static Sample Run(int length)
    {
        var source = (byte*)NativeMemory.AlignedAlloc((nuint)length, Block);
        var target = (byte*)NativeMemory.AlignedAlloc(Block, Block);
        try
        {
            new Span<byte>(source, length).Fill(1);
            Copy(source, length, target, TimeSpan.FromSeconds(0.2));
            TimeSpan before = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            long count = Copy(source, length, target, TimeSpan.FromSeconds(1));
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            return new Sample(count / seconds, (Environment.CpuUsage.TotalTime - before).TotalMicroseconds / count, 0, []);
        }
        finally
        {
            NativeMemory.AlignedFree(source);
            NativeMemory.AlignedFree(target);
        }
    }

    private static long Copy(byte* source, int length, byte* target, TimeSpan duration)
    {
        long end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        ulong random = 88172645463325252;
        long count = 0;
        do
        {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            Buffer.MemoryCopy(source + (random % (ulong)(length / Block) * Block), target, Block, Block);
            count++;
        }
        while (Stopwatch.GetTimestamp() < end);
        return count;
    }
}

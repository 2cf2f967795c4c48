using System.Diagnostics;
using System.Globalization;

namespace Penstock.Bench;

/// <summary>What runs in a process of its own so that its memory can be looked at; prints numbers.</summary>
internal static class LimitProbes
{
    /// <summary>Opens <paramref name="image"/> once the code is warm from opening <paramref name="other"/>: milliseconds, and the peak of resident MiB.</summary>
    public static async Task<int> OpenAsync(string other, string image)
    {
        await (await Volume.OpenAsync(other)).DisposeAsync();
        long start = Stopwatch.GetTimestamp();
        Volume volume = await Volume.OpenAsync(image);
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{milliseconds:F2} {PeakMebibytes():F1}"));
        await volume.DisposeAsync();
        return 0;
    }

    /// <summary>Writes a file through a page cache of <paramref name="budget"/> bytes: the peak of resident MiB.</summary>
    public static async Task<int> FillAsync(string image, long length, long budget)
    {
        await using Volume volume = await Volume.OpenAsync(image, new VolumeOptions { PageCacheBytes = budget });
        await using OpenFile file = await volume.OpenFileAsync("/file", FileMode.Create, FileAccess.ReadWrite);
        using var buffer = new AlignedBuffer(1 << 20);
        buffer.Memory.Span.Fill(1);
        for (long offset = 0; offset < length; offset += buffer.Length)
        {
            await file.WriteAsync(buffer.Memory, offset);
        }

        await file.FlushAsync();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{PeakMebibytes():F1}"));
        return 0;
    }

    private static double PeakMebibytes()
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;
    }
}

using System.Diagnostics;

namespace Penstock.Bench.Comparing;

/// <summary>Names of 100,000 files: made, looked at, opened, removed; in process, and by the same calls of .NET on the kernel's ext4.</summary>
internal static class NameRows
{
    private const int Folders = 100;
    private const int FilesInEach = 1000;
    private const string Peer = "System.IO, kernel ext4 on loop";

    public static IReadOnlyList<Contest> All { get; } =
    [
        new Contest(
            new Row("names-create", "create 100,000 files", Peer, 2),
            new Row("names-stat", "stat 100,000 files", Peer, 2),
            new Row("names-open", "open 100,000 files", Peer, 2),
            new Row("names-unlink", "unlink 100,000 files", Peer, 2))
        {
            Ours = OnVolumeAsync,
            Theirs = OnKernelAsync,
            NeedsRoot = true,
        },
    ];

    private static async Task<Sample[]> OnVolumeAsync(Place place)
    {
        await using Volume volume = await Volume.OpenAsync(place.Image);
        string[] names = Names("/");
        for (int i = 0; i < Folders; i++)
        {
            await volume.CreateDirectoryAsync($"/part{i}");
        }

        Sample[] samples =
        [
            await MeasureAsync(names, async name =>
            {
                await using OpenFile file = await volume.OpenFileAsync(name, FileMode.CreateNew, FileAccess.ReadWrite);
            }),
            await MeasureAsync(names, async name => await volume.GetDetailsAsync(name)),
            await MeasureAsync(names, async name =>
            {
                await using OpenFile file = await volume.OpenFileAsync(name, FileMode.Open, FileAccess.ReadWrite);
            }),
            await MeasureAsync(names, volume.DeleteFileAsync),
        ];
        for (int i = 0; i < Folders; i++)
        {
            await volume.DeleteDirectoryAsync($"/part{i}");
        }

        return samples;
    }

    private static Task<Sample[]> OnKernelAsync(Place place) => place.OnKernelAsync(async folder =>
    {
        string[] names = Names($"{folder}/");
        for (int i = 0; i < Folders; i++)
        {
            Directory.CreateDirectory($"{folder}/part{i}");
        }

        Sample[] samples =
        [
            await MeasureAsync(names, static name =>
            {
                File.OpenHandle(name, FileMode.CreateNew, FileAccess.ReadWrite).Dispose();
                return default;
            }),
            await MeasureAsync(names, static name =>
            {
                _ = new FileInfo(name).Length;
                return default;
            }),
            await MeasureAsync(names, static name =>
            {
                File.OpenHandle(name, FileMode.Open, FileAccess.ReadWrite).Dispose();
                return default;
            }),
            await MeasureAsync(names, static name =>
            {
                File.Delete(name);
                return default;
            }),
        ];
        for (int i = 0; i < Folders; i++)
        {
            Directory.Delete($"{folder}/part{i}");
        }

        return samples;
    });

    private static string[] Names(string root) =>
        [.. Enumerable.Range(0, Folders * FilesInEach).Select(i => $"{root}part{i / FilesInEach}/file{i % FilesInEach}")];

    private static async Task<Sample> MeasureAsync(string[] names, Func<string, ValueTask> use)
    {
        long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan processorBefore = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        foreach (string name in names)
        {
            await use(name);
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double processor = (Environment.CpuUsage.TotalTime - processorBefore).TotalMicroseconds;
        double allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        return new Sample(names.Length / seconds, processor / names.Length, allocated / names.Length, []);
    }
}

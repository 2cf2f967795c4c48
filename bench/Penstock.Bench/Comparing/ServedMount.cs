using System.Diagnostics;

namespace Penstock.Bench.Comparing;

/// <summary>A folder on which a process of its own serves a file system.</summary>
internal sealed class ServedMount : IAsyncDisposable
{
    private readonly Process _server;

    private ServedMount(Process server, string folder)
    {
        _server = server;
        Folder = folder;
    }

    public string Folder { get; }

    public static Task<ServedMount> PenstockAsync(Place place, string image) => StartAsync(place, place.Penstock, "mount", "--foreground", image);

    public static Task<ServedMount> Fuse2fsAsync(Place place, string image) => StartAsync(place, "fuse2fs", "-f", image);

    /// <summary>A server that answers zeros; over io_uring where that is switched on and <paramref name="image"/> lends its ring.</summary>
    public static Task<ServedMount> BareAsync(Place place, string? image) =>
        StartAsync(place, Environment.ProcessPath!, image is null ? ["bare"] : ["bare", "--ring", image]);

    /// <summary>The processor time of the server so far.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _server.Refresh();
            return _server.TotalProcessorTime;
        }
    }

    /// <summary>Takes it off and waits until the server has written everything and ended.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_server.HasExited)
        {
            await Place.UnmountAsync(Folder);
        }

        await _server.WaitForExitAsync();
        _server.Dispose();
    }

    private static async Task<ServedMount> StartAsync(Place place, string program, params string[] arguments)
    {
        string folder = place.InFolder("mount");
        Directory.CreateDirectory(folder);
        var start = new ProcessStartInfo(program, [.. arguments, folder]) { RedirectStandardError = true, RedirectStandardOutput = true };
        Process server = Process.Start(start)!;
        Task<string> said = server.StandardError.ReadToEndAsync();
        _ = server.StandardOutput.ReadToEndAsync();
        while (!File.ReadAllText("/proc/self/mountinfo").Contains($" {folder} ", StringComparison.Ordinal))
        {
            if (server.HasExited)
            {
                throw new InvalidOperationException($"{program}: {await said}");
            }

            await Task.Delay(10);
        }

        return new ServedMount(server, folder);
    }
}

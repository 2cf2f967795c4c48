namespace Penstock.Bench.Comparing;

/// <summary>Where the comparison happens: one image, used by everybody in turn.</summary>
internal sealed class Place : IAsyncDisposable
{
    public const string FileName = "data";
    private const string ImageLength = "2G";
    private const string FileLength = "512M";

    private readonly string _folder;

    private Place(string folder, string penstock, bool isQuick)
    {
        _folder = folder;
        Penstock = penstock;
        (WarmUp, Seconds) = isQuick ? ("1", "1") : ("1", "2");
    }

    /// <summary>The program.</summary>
    public string Penstock { get; }

    /// <summary>Seconds to warm up, and to measure.</summary>
    public string WarmUp { get; }

    /// <inheritdoc cref="WarmUp"/>
    public string Seconds { get; }

    public string Image => Path.Combine(_folder, "disk.img");

    /// <summary>The file in the image, as <c>penstock</c> names it.</summary>
    public string File => $"{Image}:/{FileName}";

    /// <summary>Where on the image the longest piece of the file lies, in bytes: what fio uses of the raw image, so that both meet the same device.</summary>
    public (long Offset, long Length) Piece { get; private set; }

    /// <summary>A folder with the sources of a program in it, for the tools.</summary>
    public string Tree => Path.Combine(_folder, "tree");

    public string InFolder(string name) => Path.Combine(_folder, name);

    public static async Task<Place> MakeAsync(string folder, string penstock, bool isQuick)
    {
        // A folder of its own, since it is deleted whole at the end: what else is in the user's folder stays.
        folder = Path.Combine(folder, "penstock-compare");
        if (Directory.Exists(folder))
        {
            throw new InvalidOperationException($"{folder} is there: another comparison runs, or one was broken off and left it");
        }

        Directory.CreateDirectory(folder);
        var place = new Place(folder, penstock, isQuick);
        await Tool.RunAsync(penstock, "mkfs", "-q", place.Image, ImageLength);
        await Tool.RunAsync(penstock, "bench", place.File, "--rw", "write", "--bs", "1M", "--size", FileLength, "--direct", "--warm-up", "0", "--time", "0.1");
        place.Piece = await FindPieceAsync(place.Image);
        await TreeMaker.MakeAsync(place.Tree);
        return place;
    }

    /// <summary>The image on a loop device with direct I/O, mounted by the kernel, for as long as <paramref name="use"/> runs.</summary>
    public async Task<T> OnKernelAsync<T>(Func<string, Task<T>> use, string? image = null)
    {
        string folder = InFolder("kernel");
        Directory.CreateDirectory(folder);
        string loop = (await Tool.RunAsync("losetup", "--find", "--show", "--direct-io=on", image ?? Image)).Trim();
        try
        {
            await Tool.RunAsync("mount", "-t", "ext4", loop, folder);
            try
            {
                return await use(folder);
            }
            finally
            {
                await UnmountAsync(folder);
            }
        }
        finally
        {
            await Tool.RunAsync("losetup", "--detach", loop);
        }
    }

    /// <summary>The kernel gives back the files of an io_uring a moment after its program has ended; until then the mount is busy.</summary>
    public static async Task UnmountAsync(string folder)
    {
        const int attempts = 100;
        for (int i = 1; ; i++)
        {
            try
            {
                await Tool.RunAsync("umount", folder);
                return;
            }
            catch (InvalidOperationException e) when (i < attempts && e.Message.Contains("busy", StringComparison.Ordinal))
            {
                await Task.Delay(50);
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private static async Task<(long Offset, long Length)> FindPieceAsync(string image)
    {
        await using Volume volume = await Volume.OpenAsync(image, new VolumeOptions { IsReadOnly = true });
        await using OpenFile file = await volume.OpenFileAsync($"/{FileName}", FileMode.Open, FileAccess.Read);
        (long Offset, long Length) longest = default;
        (long Offset, long Length) current = default;
        await foreach (FileExtent extent in file.EnumerateExtentsAsync())
        {
            current = current.Offset + current.Length == extent.Device ? (current.Offset, current.Length + extent.Length) : (extent.Device, extent.Length);
            longest = current.Length > longest.Length ? current : longest;
        }

        return longest;
    }
}

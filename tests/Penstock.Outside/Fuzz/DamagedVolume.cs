using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Memory;
using Penstock.Testing.Ext4;

namespace Penstock.Outside.Fuzz;

/// <summary>
/// Uses a volume that may be damaged as programs would, and bears what the library says of it; an exception of any other kind escapes, and is a
/// defect. So is a volume that was found damaged and is still open for changes.
/// </summary>
internal sealed class DamagedVolume(Volume volume, Random random)
{
    private const int MostFiles = 60;

    private readonly List<string> files = [];

    /// <summary>Opens the image in memory, walks it, changes it if asked to, and closes it.</summary>
    public static async Task UseAsync(byte[] image, bool changes, Random random)
    {
        Scheduler scheduler = ThreadedScheduler.CreateForTest();
        var device = new MemoryDevice("damaged", scheduler, image.Length);
        using (var buffer = new AlignedBuffer(image.Length))
        {
            image.CopyTo(buffer.GetSpan());
            await device.WriteAsync(0, Segment(buffer));
        }

        BlockDevice opened = changes ? device : new ReadOnlyDevice(device);
        try
        {
            var options = new VolumeOptions { IsReadOnly = !changes, PageCache = new PageCache(scheduler, 4 << 20), Scheduler = scheduler };
            await using Volume volume = await Volume.OpenAsync(opened, options);
            await new VolumeWalker(volume.FileSystem, mostInodes: 300).RunAsync();
            await new DamagedVolume(volume, random).RunAsync(changes);
        }
        catch (FileSystemException)
        {
            // Refused, or damage met while closing: both are said.
        }
        finally
        {
            await opened.DisposeAsync();
        }
    }

    private static unsafe IoSegment Segment(AlignedBuffer buffer)
    {
        fixed (byte* start = buffer.GetSpan())
        {
            return new IoSegment((nint)start, buffer.Length);
        }
    }

    private async Task RunAsync(bool changes)
    {
        _ = volume.Statistics;
        await TryAsync(() => WalkAsync("/", 0));
        for (int i = 0; changes && i < 30; i++)
        {
            await TryAsync(() => ChangeAsync(i));
        }

        if (changes)
        {
            await TryAsync(() => volume.FlushAsync().AsTask());
        }
    }

    private async Task WalkAsync(string folder, int depth)
    {
        int count = 0;
        await foreach (VolumeEntry entry in volume.EnumerateAsync(folder))
        {
            if (++count > 300 || depth > 4)
            {
                break;
            }

            string path = $"{folder.TrimEnd('/')}/{entry.Name}";
            if (files.Count < MostFiles)
            {
                files.Add(path);
                await TryAsync(() => ReadAsync(path, depth));
            }
        }
    }

    private async Task ReadAsync(string path, int depth)
    {
        FileDetails details = await volume.GetDetailsAsync(path, followLink: false);
        await TryAsync(async () =>
        {
            foreach (string name in await volume.ListAttributesAsync(path, followLink: false))
            {
                await volume.GetAttributeAsync(path, name, followLink: false);
            }
        });
        switch (details.Kind)
        {
            case FileKind.Directory:
                await WalkAsync(path, depth + 1);
                break;
            case FileKind.SymbolicLink:
                await volume.ReadLinkAsync(path);
                await volume.ExistsAsync(path + "/x");
                break;
            case FileKind.Regular:
                await ReadContentAsync(path);
                break;
        }
    }

    private async Task ReadContentAsync(string path)
    {
        await using OpenFile file = await volume.OpenFileAsync(path, FileMode.Open, FileAccess.Read);
        byte[] bytes = new byte[16384];
        await TryAsync(() => file.ReadAsync(bytes, 0).AsTask());
        await TryAsync(() => file.ReadAsync(bytes, Math.Max(0, file.Length - 5000)).AsTask());
        await TryAsync(() => file.ReadAsync(bytes, random.NextInt64(Math.Clamp(file.Length, 1, 1L << 40))).AsTask());
        await TryAsync(async () =>
        {
            using var buffer = new AlignedBuffer(8192);
            await file.ReadAsync(buffer.Memory, 0, IoOptions.Direct);
        });
        await TryAsync(async () =>
        {
            int count = 0;
            await foreach (FileExtent extent in file.EnumerateExtentsAsync())
            {
                if (++count > 1000)
                {
                    break;
                }
            }
        });
        await TryAsync(() => file.FindDataAsync(4096).AsTask());
        await TryAsync(() => file.FindHoleAsync(0).AsTask());
    }

    private async Task ChangeAsync(int step)
    {
        string some = files.Count > 0 ? files[random.Next(files.Count)] : "/none";
        switch (random.Next(10))
        {
            case 0:
                await volume.DeleteFileAsync(some);
                break;
            case 1:
                await volume.MoveAsync(some, $"/moved{step}", overwrite: true);
                break;
            case 2:
                await volume.CreateDirectoryAsync($"{some}{step}");
                break;
            case 3:
                await volume.SetAttributeAsync(some, "user.new", new byte[random.Next(1000)]);
                break;
            case 4:
                await volume.DeleteDirectoryAsync(some);
                break;
            case 5:
                await volume.CreateSymbolicLinkAsync($"/link{step}", new string('x', random.Next(1, 300)));
                break;
            default:
                await WriteAsync(random.Next(3) == 0 ? $"/new{step}" : some);
                break;
        }
    }

    private async Task WriteAsync(string path)
    {
        await using OpenFile file = await volume.OpenFileAsync(path, FileMode.OpenOrCreate, FileAccess.ReadWrite);
        long offset = random.Next(4) == 0 ? file.Length : random.NextInt64(Math.Clamp(file.Length, 1, 1L << 40));
        await TryAsync(() => file.WriteAsync(new byte[random.Next(1, 20_000)], offset).AsTask());
        await TryAsync(() => file.SetLengthAsync(random.NextInt64(Math.Clamp(file.Length, 1, 1L << 40))).AsTask());
        await TryAsync(() => file.ChangeRangeAsync((FileRangeChange)random.Next(7), (offset / 4096) * 4096, 8192).AsTask());
        await TryAsync(async () =>
        {
            using var buffer = new AlignedBuffer(8192);
            await file.WriteAsync(buffer.Memory, 0, IoOptions.Direct);
        });
        await TryAsync(() => file.FlushAsync().AsTask());
    }

    private async Task TryAsync(Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (CorruptVolumeException damage)
        {
            Xunit.Assert.True(volume.ReadOnlyReason is not null, $"Damage was met and the volume is still open for changes: {damage}");
        }
        catch (FileSystemException)
        {
            // Typed, and no damage: the full volume, the wrong kind of file.
        }
    }
}

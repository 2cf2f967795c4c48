using System.Globalization;
using System.IO.Compression;
using Penstock.Files;
using Penstock.Testing.Ext4;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Real damaged volumes: opened, walked and changed, each ends with a typed error or none; nothing crashes or hangs.</summary>
public sealed class BrokenVolumeTests : IDisposable
{
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(60);

    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    public static TheoryData<string> Volumes()
    {
        var names = new TheoryData<string>();
        string[] paths = FindFolder() is { } folder ? Directory.GetFiles(folder, "*.img.gz") : [];
        foreach (string path in paths.Order(StringComparer.Ordinal))
        {
            names.Add(Path.GetFileName(path));
        }

        if (names.Count == 0)
        {
            names.Add(string.Empty);
        }

        return names;
    }

    [Theory]
    [MemberData(nameof(Volumes))]
    public async Task Reading_ends_with_typed_errors_only(string name)
    {
        string image = Unpack(name);
        string before = OutsideProgram.Run("sha256sum", image);
        await Bounded(async () =>
        {
            try
            {
                await using OpenedVolume volume = await OpenedVolume.OpenAsync(image, isReadOnly: true);
                await new VolumeWalker(volume.FileSystem).RunAsync();
            }
            catch (FileSystemException)
            {
                // Refused, with a reason.
            }
        });
        Assert.Equal(before, OutsideProgram.Run("sha256sum", image));
    }

    [Theory]
    [MemberData(nameof(Volumes))]
    public async Task Changing_ends_with_typed_errors_only(string name)
    {
        string image = Unpack(name);
        await Bounded(async () =>
        {
            try
            {
                await using OpenedVolume volume = await OpenedVolume.OpenAsync(image);
                await ChangeAsync(volume);
                await new VolumeWalker(volume.FileSystem).RunAsync();
            }
            catch (FileSystemException)
            {
                // Refused, with a reason.
            }
        });
    }

    private static async Task ChangeAsync(OpenedVolume volume)
    {
        Inode root = await volume.Namespace.GetRootAsync();
        var names = new List<string>();
        try
        {
            names.AddRange((await volume.ListAsync(root, 500)).Select(e => e.Name).Take(200));
        }
        catch (FileSystemException)
        {
            // The rest is tried all the same.
        }

        foreach (string name in names)
        {
            await TryAsync(() => volume.Namespace.RenameAsync(root, FileName.From(name), root, FileName.From("renamed"), RenameFlags.None).AsTask());
            await TryAsync(() => volume.Namespace.UnlinkAsync(root, FileName.From(name)).AsTask());
            await TryAsync(() => volume.Namespace.RemoveDirectoryAsync(root, FileName.From(name)).AsTask());
        }

        for (int i = 0; i < 100; i++)
        {
            FileName name = FileName.From(string.Create(CultureInfo.InvariantCulture, $"made-{i}"));
            await TryAsync(async () =>
            {
                Inode made = await volume.Namespace.MakeAsync(root, name, i % 5 == 0 ? NameStorm.Directory : NameStorm.File);
                await TryAsync(() => made.SetAttributeAsync(FileName.From("user.a"), new byte[200], AttributeCondition.None).AsTask());
                await volume.FileSystem.Inodes.ReleaseAsync(made);
            });
        }

        await volume.FileSystem.Inodes.ReleaseAsync(root);
    }

    private static async Task TryAsync(Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (FileSystemException)
        {
            // Typed: that is all that is asked.
        }
    }

    private static async Task Bounded(Func<Task> test)
    {
        Task running = Task.Run(test);
        Assert.True(await Task.WhenAny(running, Task.Delay(s_longest)) == running, "it did not end");
        await running;
    }

    private static string? FindFolder()
    {
        if (Environment.GetEnvironmentVariable("PENSTOCK_BROKEN_VOLUMES") is { Length: > 0 } named)
        {
            return named;
        }

        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, "shared", "broken-volumes");
            if (Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return null;
    }

    /// <summary>What e2fsck -fn says of a volume; null where it does not finish.</summary>
    internal static int? FindExitCode(string name)
    {
        string volume = name[..name.IndexOf('.')];
        foreach (string line in File.ReadLines(Path.Combine(FindFolder()!, "MANIFEST.tsv")))
        {
            string[] columns = line.Split('\t');
            if (columns[0] == volume)
            {
                return int.TryParse(columns[1], CultureInfo.InvariantCulture, out int code) ? code : null;
            }
        }

        throw new InvalidOperationException($"{volume} is not in the manifest");
    }

    private string Unpack(string name) => Unpack(name, scratch["v.img"]);

    internal static string Unpack(string name, string image)
    {
        Assert.SkipWhen(name.Length == 0, "There is no folder with broken volumes beside the repository.");
        using FileStream packed = File.OpenRead(Path.Combine(FindFolder()!, name));
        using var unpacked = new GZipStream(packed, CompressionMode.Decompress);
        using FileStream file = File.Create(image);
        byte[] buffer = new byte[1 << 16];
        int count;
        while ((count = unpacked.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) > 0)
        {
            // Holes stay holes: some of these volumes are large.
            if (buffer.AsSpan(0, count).ContainsAnyExcept((byte)0))
            {
                file.Write(buffer, 0, count);
            }
            else
            {
                file.Position += count;
            }
        }

        file.SetLength((file.Position + 511) / 512 * 512);
        return image;
    }
}

using System.Globalization;
using Penstock.Files;

namespace Penstock.Outside.Fuzz;

/// <summary>Small sound images of many feature sets, filled with what has metadata of its own.</summary>
internal static class SampleImages
{
    private const string OwnMaker = "penstock";

    private static readonly string[][] s_options =
    [
        ["-b", "1024", "-O", "^has_journal", "-N", "512"],
        ["-b", "1024", "-O", "inline_data,^resize_inode", "-I", "512", "-N", "256"],
        ["-t", "ext2", "-b", "1024", "-N", "512"],
        ["-t", "ext3", "-b", "1024", "-N", "256"],
        ["-b", "4096", "-O", "bigalloc,^resize_inode", "-C", "16384", "-N", "256"],
        ["-b", "1024", "-O", "^metadata_csum,uninit_bg,^64bit,^has_journal", "-N", "512"],
        ["-b", "1024", "-O", "orphan_file,metadata_csum_seed", "-N", "256"],
        ["-b", "1024", "-O", "meta_bg,^resize_inode,^has_journal", "-g", "1024", "-N", "512"],
        ["-b", "2048", "-O", "mmp,quota,project", "-N", "256"],
        ["-b", "1024", "-O", "ea_inode,large_dir,^has_journal,sparse_super2", "-N", "512"],
        [OwnMaker],
    ];

    public static int Count => s_options.Length;

    public static string Describe(int index) => string.Join(' ', s_options[index]);

    public static async Task<byte[]> MakeAsync(int index)
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 8 << 20);
        if (s_options[index][0] == OwnMaker)
        {
            await Volume.MakeAsync(image);
        }
        else
        {
            OutsideProgram.Run("mkfs.ext4", [.. s_options[index], "-q", "-F", image]);
        }

        await using (Volume volume = await Volume.OpenAsync(image))
        {
            if (volume.ReadOnlyReason is null)
            {
                await FillAsync(volume);
            }
        }

        return await File.ReadAllBytesAsync(image);
    }

    private static async Task FillAsync(Volume volume)
    {
        byte[] content = new byte[40_000];
        new Random(1).NextBytes(content);
        await volume.CreateDirectoryAsync("/many");
        string longName = new('n', 60);
        for (int i = 0; i < 150; i++)
        {
            await volume.CreateHardLinkAsync(await MakeFirstAsync(volume, i), string.Create(CultureInfo.InvariantCulture, $"/many/{longName}{i}"));
        }

        await volume.CreateDirectoryAsync("/many/deep");
        await volume.CreateDirectoryAsync("/many/deep/deeper");
        await volume.CreateSymbolicLinkAsync("/fast", "many/deep");
        await volume.CreateSymbolicLinkAsync("/slow", new string('s', 200));
        await volume.CreateNodeAsync("/pipe", FileKind.Pipe, (UnixFileMode)0x1A4);
        for (int i = 0; i < 12; i++)
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/many/deep/file{i}");
            await using OpenFile file = await volume.OpenFileAsync(path, FileMode.CreateNew, FileAccess.ReadWrite);
            await file.WriteAsync(content.AsMemory(0, (i * 3300) + 40), 0);
            await volume.SetAttributeAsync(path, "user.small", content.AsMemory(0, 20));
            await volume.SetAttributeAsync(path, "user.large", content.AsMemory(0, 300 + (i * 10)));
        }

        // An extent tree of two levels, and chains of indirect blocks.
        await using OpenFile sparse = await volume.OpenFileAsync("/sparse", FileMode.CreateNew, FileAccess.ReadWrite);
        for (int i = 0; i < 120; i++)
        {
            await sparse.WriteAsync(content.AsMemory(0, 100), i * 20_000L);
        }

        await sparse.WriteAsync(content.AsMemory(0, 100), 300L << 20);
        if (volume.FormatName == "ext4")
        {
            await sparse.ChangeRangeAsync(FileRangeChange.AllocateKeepingSize, 301L << 20, 64 << 10);
        }
    }

    private static async Task<string> MakeFirstAsync(Volume volume, int index)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"/first{index / 30}");
        await using OpenFile file = await volume.OpenFileAsync(path, FileMode.OpenOrCreate, FileAccess.ReadWrite);
        return path;
    }
}

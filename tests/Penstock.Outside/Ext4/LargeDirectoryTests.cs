using Penstock.Files;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Directories at the limits of their features: an index of three levels (large_dir), and more subdirectories than can be counted (dir_nlink).</summary>
public sealed class LargeDirectoryTests : IDisposable
{
    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    [Fact]
    public async Task An_index_of_three_levels()
    {
        const int Count = 50_000;
        string image = scratch["v.img"];
        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-O", "large_dir", "-N", "3000", image, "128M");
        await UseDirectoryAsync(image, "many", isNew: true, async (volume, directory) =>
        {
            Inode target = await volume.Namespace.MakeAsync(directory, NameOf(0), NameStorm.File);
            for (int i = 1; i < Count; i++)
            {
                await volume.Namespace.LinkAsync(directory, NameOf(i), target);
            }

            await volume.FileSystem.Inodes.ReleaseAsync(target);
            Assert.Equal(Count + 2, (await volume.ListAsync(directory, 997)).Select(e => e.Name).Distinct().Count());
        });

        Judge(image);
        Assert.Contains("Indirect levels: 2", OutsideProgram.Run("debugfs", "-R", "htree_dump many", image)[..2000], StringComparison.Ordinal);
        await UseDirectoryAsync(image, "many", isNew: false, async (volume, directory) =>
        {
            for (int i = 1; i < Count; i += 2)
            {
                await volume.Namespace.UnlinkAsync(directory, NameOf(i));
            }

            Assert.Equal((Count / 2) + 2, (await volume.ListAsync(directory)).Count);
            Inode found = await volume.Namespace.LookupAsync(directory, NameOf(Count - 2));
            await volume.FileSystem.Inodes.ReleaseAsync(found);
        });

        Judge(image);
        static FileName NameOf(int i) => OpenedVolume.Name($"{i:d8}-{new string('n', 240)}");
    }

    [Fact]
    public async Task More_subdirectories_than_can_be_counted()
    {
        const int Count = 65_050;
        string image = scratch["v.img"];
        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-N", "66000", image, "160M");
        await UseDirectoryAsync(image, "many", isNew: true, async (volume, directory) =>
        {
            for (int i = 0; i < Count; i++)
            {
                Inode made = await volume.Namespace.MakeAsync(directory, NameOf(i), NameStorm.Directory);
                await volume.FileSystem.Inodes.ReleaseAsync(made);
                Assert.Equal(i + 3 <= 65_000 ? (uint)i + 3 : 1, directory.Attributes.Links);
            }
        });

        Judge(image);
        await UseDirectoryAsync(image, "many", isNew: false, async (volume, directory) =>
        {
            for (int i = 0; i < 200; i++)
            {
                await volume.Namespace.RemoveDirectoryAsync(directory, NameOf(i));
            }

            // Once it is not counted it stays so.
            Assert.Equal(1u, directory.Attributes.Links);
        });

        Judge(image);
        static FileName NameOf(int i) => OpenedVolume.Name($"d{i}");
    }

    private static async Task UseDirectoryAsync(string image, string name, bool isNew, Func<OpenedVolume, Inode, Task> use)
    {
        await using OpenedVolume volume = await OpenedVolume.OpenAsync(image);
        Inode root = await volume.Namespace.GetRootAsync();
        Inode directory = isNew
            ? await volume.Namespace.MakeAsync(root, OpenedVolume.Name(name), NameStorm.Directory)
            : await volume.Namespace.LookupAsync(root, OpenedVolume.Name(name));
        await use(volume, directory);
        await volume.FileSystem.Inodes.ReleaseAsync(directory);
        await volume.FileSystem.Inodes.ReleaseAsync(root);
    }

    private static void Judge(string image)
    {
        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fn", image);
        Assert.True(code == 0, output[..Math.Min(output.Length, 3000)]);
    }
}

using Penstock.Files;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>The kernel's ext4 fills a volume and we read it; we fill one and the kernel reads it, attributes and lists of access included.</summary>
public sealed class KernelNamesTests : IDisposable
{
    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    [Theory]
    [InlineData("-t ext4")]
    [InlineData("-t ext4 -b 1024 -O inline_data")]
    [InlineData("-t ext4 -O ea_inode,large_dir")]
    [InlineData("-t ext4 -I 128")]
    [InlineData("-t ext2 -b 1024")]
    [InlineData("-t ext3")]
    public async Task What_the_kernel_made_reads_back(string arguments)
    {
        RequireRoot();
        string image = Make(arguments);
        string listing;
        string[] attributes;
        using (Mounted mounted = Mount(image))
        {
            Fill(mounted.Path, hasLarge: arguments.Contains("ea_inode", StringComparison.Ordinal));
            listing = OutsideProgram.Run("find", mounted.Path, "-mindepth", "1", "-not", "-name", "lost+found", "-printf", "%P\t%y\t%m\t%n\t%l\n");
            attributes = Dump(mounted.Path);
        }

        await using OpenedVolume volume = await OpenedVolume.OpenAsync(image);
        string[] expected = [.. listing.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Replace('\t', ' ').TrimEnd()).Order(StringComparer.Ordinal)];
        string[] read = [.. (await volume.DescribeTreeAsync()).Select(Shorten).Order(StringComparer.Ordinal)];
        Assert.Equal(expected, read);
        Assert.Equal(attributes, await DumpAsync(volume, "/file"));
    }

    [Theory]
    [InlineData("-t ext4")]
    [InlineData("-t ext4 -b 1024 -O inline_data")]
    [InlineData("-t ext4 -O orphan_file")]
    [InlineData("-t ext2 -b 1024")]
    [InlineData("-t ext3")]
    public async Task What_we_made_the_kernel_reads(string arguments)
    {
        RequireRoot();
        string image = Make(arguments);
        List<string> described;
        await using (OpenedVolume volume = await OpenedVolume.OpenAsync(image))
        {
            await new NameStorm(seed: 77).RunAsync(volume, 1500);
            Inode root = await volume.Namespace.GetRootAsync();
            Inode file = await volume.Namespace.MakeAsync(root, FileName.From("file"), NameStorm.File);
            await file.SetAttributeAsync(FileName.From("user.small"), "value"u8.ToArray(), AttributeCondition.None);
            await file.SetAttributeAsync(FileName.From("user.large"), new byte[700].Select(_ => (byte)'v').ToArray(), AttributeCondition.MustNotExist);
            await file.SetAttributeAsync(FileName.From("user.gone"), "x"u8.ToArray(), AttributeCondition.None);
            await file.SetAttributeAsync(FileName.From("user.gone"), null, AttributeCondition.MustExist);
            await file.SetAttributeAsync(FileName.From("security.odd"), "y"u8.ToArray(), AttributeCondition.None);
            byte[] acl = new AccessControlList(
            [
                new(AccessControlTag.UserOwner, 6, uint.MaxValue), new(AccessControlTag.User, 7, 1234),
                new(AccessControlTag.GroupOwner, 4, uint.MaxValue), new(AccessControlTag.Mask, 7, uint.MaxValue),
                new(AccessControlTag.Other, 0, uint.MaxValue),
            ]).ToValue();
            await file.SetAttributeAsync(AccessControlList.AccessName, acl, AttributeCondition.None);
            await volume.FileSystem.Inodes.ReleaseAsync(file);
            await volume.FileSystem.Inodes.ReleaseAsync(root);
            described = await volume.DescribeTreeAsync();
        }

        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fn", image);
        Assert.True(code == 0, output);
        using Mounted mounted = Mount(image);
        string listing = OutsideProgram.Run("find", mounted.Path, "-mindepth", "1", "-not", "-name", "lost+found", "-printf", "%P\t%y\t%m\t%n\t%l\n");
        string[] read = [.. listing.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Replace('\t', ' ').TrimEnd()).Order(StringComparer.Ordinal)];
        Assert.Equal(described.Select(Shorten).Where(l => !l.StartsWith("file ", StringComparison.Ordinal)).Order(StringComparer.Ordinal), read.Where(l => !l.StartsWith("file ", StringComparison.Ordinal)));
        string[] attributes = Dump(mounted.Path);
        Assert.Contains("user.small=\"value\"", attributes);
        Assert.Contains($"user.large=\"{new string('v', 700)}\"", attributes);
        Assert.Contains("security.odd=\"y\"", attributes);
        Assert.DoesNotContain(attributes, a => a.StartsWith("user.gone", StringComparison.Ordinal));
        Assert.Contains("user:1234:rwx", OutsideProgram.Run("getfacl", "-pn", mounted["file"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-t ext4 -b 1024 -O inline_data")]
    [InlineData("-t ext4 -O inline_data -I 512")]
    [InlineData("-t ext4 -O inline_data,^metadata_csum,^64bit,^extent")]
    public async Task Inline_directories_and_files_of_the_kernel_are_changed_and_outgrow_their_inodes(string arguments)
    {
        RequireRoot();
        string image = Make(arguments);
        using (Mounted mounted = Mount(image))
        {
            for (int i = 0; i < 40; i++)
            {
                string inner = Directory.CreateDirectory(mounted[$"dir-{i}"]).FullName;
                for (int k = 0; k < i % 7; k++)
                {
                    File.WriteAllText(Path.Combine(inner, $"k{k}"), new string('c', 20 * k));
                }
            }
        }

        List<string> described;
        await using (OpenedVolume volume = await OpenedVolume.OpenAsync(image))
        {
            int inline = 0;
            for (int i = 0; i < 40; i++)
            {
                Inode directory = await volume.FindAsync($"/dir-{i}");
                inline += directory.HasInlineData ? 1 : 0;
                for (int k = 0; k < i; k++)
                {
                    await volume.FileSystem.Inodes.ReleaseAsync(await volume.Namespace.MakeAsync(directory, FileName.From($"our-{k}"), k % 3 == 0 ? NameStorm.Directory : NameStorm.File));
                }

                if (i % 7 > 2)
                {
                    await volume.Namespace.UnlinkAsync(directory, FileName.From("k1"));
                    await volume.Namespace.RenameAsync(directory, FileName.From("k0"), directory, FileName.From("k2"), RenameFlags.Exchange);
                    Inode file = await volume.Namespace.LookupAsync(directory, FileName.From("k2"));
                    byte[] before = await volume.ReadAsync(file);
                    await file.ConvertFromInlineAsync();
                    Assert.False(file.HasInlineData);
                    Assert.Equal(before, await volume.ReadAsync(file));
                    await volume.FileSystem.Inodes.ReleaseAsync(file);
                }

                await volume.FileSystem.Inodes.ReleaseAsync(directory);
            }

            Assert.True(inline > 20, $"{inline} inline directories");
            described = await volume.DescribeTreeAsync();
        }

        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fn", image);
        Assert.True(code == 0, output);
        await using OpenedVolume again = await OpenedVolume.OpenAsync(image);
        Assert.Equal(described, await again.DescribeTreeAsync());
    }

    private static void RequireRoot() => Assert.SkipUnless(Environment.IsPrivilegedProcess, "A loop mount needs root.");

    // Kind, name, mode, links and target: what find printed too.
    private static string Shorten(string line)
    {
        string[] part = line.Split(' ');
        return $"{part[0]} {part[1]} {part[2]} {part[4]} {(part[1] == "l" ? part[6] : string.Empty)}".TrimEnd();
    }

    private static void Fill(string path, bool hasLarge)
    {
        string many = Directory.CreateDirectory(Path.Combine(path, "many")).FullName;
        for (int i = 0; i < 1500; i++)
        {
            File.WriteAllText(Path.Combine(many, $"name-{i}-{new string('n', i % 40)}"), string.Empty);
        }

        for (int i = 0; i < 1500; i += 4)
        {
            File.Delete(Path.Combine(many, $"name-{i}-{new string('n', i % 40)}"));
        }

        for (int i = 0; i < 30; i++)
        {
            Directory.CreateDirectory(Path.Combine(path, $"dir-{i}", "inner"));
            File.CreateSymbolicLink(Path.Combine(path, $"dir-{i}", "link"), new string('t', 1 + (i * 7)));
            File.WriteAllText(Path.Combine(path, $"dir-{i}", "text"), new string('c', i * 5));
        }

        string file = Path.Combine(path, "file");
        File.WriteAllText(file, "file");
        OutsideProgram.Run("setfattr", "-n", "user.small", "-v", "value", file);
        OutsideProgram.Run("setfattr", "-n", "user.middle", "-v", new string('m', 400), file);
        OutsideProgram.Run("setfattr", "-n", "trusted.t", "-v", "secret", file);
        OutsideProgram.Run("setfacl", "-m", "u:4711:rw", file);
        if (hasLarge)
        {
            OutsideProgram.Run("setfattr", "-n", "user.huge", "-v", new string('h', 9000), file);
        }
    }

    private static string[] Dump(string path) =>
        [.. OutsideProgram.Run("getfattr", "--absolute-names", "-d", "-m", "-", Path.Combine(path, "file")).Split('\n')
            .Where(l => l.Contains('=', StringComparison.Ordinal) && !l.StartsWith("system.", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private static async Task<string[]> DumpAsync(OpenedVolume volume, string path)
    {
        Inode inode = await volume.FindAsync(path);
        var lines = new List<string>();
        foreach (FileName name in await inode.ListAttributesAsync())
        {
            byte[]? value = await inode.GetAttributeAsync(name);
            Assert.NotNull(value);
            if (!name.ToString().StartsWith("system.", StringComparison.Ordinal))
            {
                lines.Add($"{name}=\"{System.Text.Encoding.UTF8.GetString(value)}\"");
            }
            else
            {
                Assert.Contains(AccessControlList.Parse(value).Entries.ToArray(), e => e.Id == 4711 && e.Permissions == 6);
            }
        }

        await volume.FileSystem.Inodes.ReleaseAsync(inode);
        return [.. lines.Order(StringComparer.Ordinal)];
    }

    private string Make(string arguments)
    {
        string image = scratch["v.img"];
        string[] all = ["-q", "-F", .. arguments.Split(' '), "-N", "8000", image, "64M"];
        OutsideProgram.Run("mke2fs", all);
        return image;
    }

    private Mounted Mount(string image)
    {
        string path = Directory.CreateDirectory(scratch["mnt"]).FullName;
        OutsideProgram.Run("mount", "-o", "loop", image, path);
        return new Mounted(path);
    }

    private sealed class Mounted(string path) : IDisposable
    {
        public string Path => path;

        public string this[string name] => System.IO.Path.Combine(path, name);

        public void Dispose() => OutsideProgram.Run("umount", path);
    }
}

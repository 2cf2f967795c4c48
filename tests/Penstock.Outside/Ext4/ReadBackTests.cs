using Penstock.Ext4.Format;
using Penstock.Files;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Volumes that mke2fs filled are read back, name for name and byte for byte, and stay as they are.</summary>
public sealed class ReadBackTests : IDisposable
{
    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    public static TheoryData<string, string> FeatureSets => new()
    {
        { "-t ext4", "48M" },
        { "-t ext4 -b 1024", "48M" },
        { "-t ext4 -b 1024 -O bigalloc -C 8192", "64M" },
        { "-t ext4 -b 2048 -O ^has_journal,inline_data", "48M" },
        { "-t ext4 -O metadata_csum_seed,large_dir,ea_inode,orphan_file", "64M" },
        { "-t ext4 -b 65536", "256M" },
        { "-t ext4 -O ^64bit,^metadata_csum,uninit_bg", "64M" },
        { "-t ext4 -O meta_bg,^resize_inode -b 1024", "96M" },
        { "-t ext4 -O sparse_super2,mmp", "64M" },
        { "-t ext4 -O quota,project -I 512", "64M" },
        { "-t ext4 -I 128 -O ^extra_isize", "64M" },
        { "-t ext4 -O ^extent,^64bit,^flex_bg", "64M" },
        { "-t ext2 -b 1024", "48M" },
        { "-t ext2 -O ^filetype", "48M" },
        { "-t ext3", "64M" },
    };

    [Theory]
    [MemberData(nameof(FeatureSets))]
    public async Task A_volume_filled_by_mke2fs_reads_back_and_stays_as_it_is(string arguments, string size)
    {
        string source = Fill(!arguments.Contains("inline_data", StringComparison.Ordinal));
        string image = scratch["v.img"];
        string[] all = ["-q", "-F", .. arguments.Split(' '), "-d", source, image, size];
        OutsideProgram.Run("mke2fs", all);
        byte[] before = await DigestAsync(image);

        await using (OpenedVolume volume = await OpenedVolume.OpenAsync(image))
        {
            Assert.Equal(DescribeSource(source), await volume.DescribeTreeAsync());
            Inode big = await volume.FindAsync("/big");
            Assert.Equal("value"u8.ToArray(), await big.GetAttributeAsync(FileName.From("user.small")));
            byte[]? large = await big.GetAttributeAsync(FileName.From("user.large"));
            Assert.Equal(900, large!.Length);
            Assert.Equal(2, (await big.ListAttributesAsync()).Count);
            await volume.FileSystem.Inodes.ReleaseAsync(big);
        }

        Assert.Equal(before, await DigestAsync(image));
    }

    /// <summary>e2fsck -D builds hash trees; every name is found in them, and reading in pieces tells each once.</summary>
    [Theory]
    [InlineData("legacy")]
    [InlineData("half_md4")]
    [InlineData("tea")]
    public async Task Hash_trees_are_walked(string hash)
    {
        string source = Fill(false);
        string image = scratch["v.img"];
        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-N", "20000", "-d", source, image, "64M");
        OutsideProgram.Run("tune2fs", "-E", $"hash_alg={hash}", image);
        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fyD", image);
        Assert.True(code <= 1, output);
        await using OpenedVolume volume = await OpenedVolume.OpenAsync(image);
        Assert.Equal(DescribeSource(source), await volume.DescribeTreeAsync());
        Inode many = await volume.FindAsync("/many");
        Assert.True(((Penstock.Ext4.Ext4Inode)many).Directory.IsIndexed);
        var pieces = await volume.ListAsync(many, perCall: 7);
        Assert.Equal(2002, pieces.Count);
        Assert.Equal(2002, pieces.Select(e => e.Name).Distinct().Count());
        await volume.FileSystem.Inodes.ReleaseAsync(many);
    }

    /// <summary>A digest of everything but the MMP block, which tells of every opening.</summary>
    private static async Task<byte[]> DigestAsync(string image)
    {
        byte[] content = await File.ReadAllBytesAsync(image);
        Superblock superblock = Superblock.Parse(content.AsSpan(Superblock.VolumeOffset, Superblock.Size));
        if (superblock.Has(IncompatFeatures.Mmp))
        {
            content.AsSpan((int)superblock.MmpBlock * superblock.BlockSize, superblock.BlockSize).Clear();
        }

        return System.Security.Cryptography.SHA256.HashData(content);
    }

    private static List<string> DescribeSource(string source)
    {
        var lines = new List<string>();
        string listing = OutsideProgram.Run("find", source, "-mindepth", "1", "-printf", "%P\t%y\t%m\t%U:%G\t%n\t%Ts\t%l\n");
        foreach (string line in listing.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] part = line.Split('\t');
            string rest = part[1] == "f"
                ? Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(File.ReadAllBytes(Path.Combine(source, part[0]))))
                : part[6];
            lines.Add($"{part[0]} {part[1]} {part[2]} {part[3]} {part[4]} {part[5]} {rest}".TrimEnd());
        }

        lines.Sort(StringComparer.Ordinal);
        return lines;
    }

    private string Fill(bool hasSparse)
    {
        string source = Directory.CreateDirectory(scratch["source"]).FullName;
        string many = Directory.CreateDirectory(Path.Combine(source, "many")).FullName;
        for (int i = 0; i < 2000; i++)
        {
            File.WriteAllText(Path.Combine(many, $"a-file-with-a-longish-name-{i:d6}"), i % 50 == 0 ? "contents" : string.Empty);
        }

        string deep = Directory.CreateDirectory(Path.Combine(source, "a", "b", "c")).FullName;
        File.WriteAllText(Path.Combine(deep, "leaf"), new string('z', 140));
        File.WriteAllText(Path.Combine(deep, "überlänge"), "x");
        OutsideProgram.Run("ln", Path.Combine(deep, "leaf"), Path.Combine(source, "second-name"));
        OutsideProgram.Run("mkfifo", Path.Combine(source, "pipe"));
        OutsideProgram.Run("mknod", Path.Combine(source, "null"), "c", "1", "3");
        OutsideProgram.Run("chmod", "4751", Path.Combine(source, "second-name"));
        OutsideProgram.Run("chown", "70000:80000", Path.Combine(source, "a"));
        File.CreateSymbolicLink(Path.Combine(source, "short"), "target");
        File.CreateSymbolicLink(Path.Combine(source, "long"), new string('t', 100));
        byte[] noise = new byte[600_000];
        new Random(5).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(source, "big"), noise);
        OutsideProgram.Run("setfattr", "-n", "user.small", "-v", "value", Path.Combine(source, "big"));
        OutsideProgram.Run("setfattr", "-n", "user.large", "-v", new string('v', 900), Path.Combine(source, "big"));
        if (hasSparse)
        {
            using FileStream file = File.Create(Path.Combine(source, "sparse"));
            for (int i = 0; i < 50; i++)
            {
                file.Position = i * 131_072L;
                file.Write("island"u8);
            }
        }

        return source;
    }
}

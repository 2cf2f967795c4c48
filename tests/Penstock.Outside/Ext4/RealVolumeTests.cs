using System.Globalization;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Volumes that mke2fs made and filled, read by our parsers; and what dumpe2fs says of them, said by our superblock.</summary>
public sealed class RealVolumeTests : IDisposable
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
        { "-t ext3", "64M" },
        { "-t ext2 -r 0", "32M" },
    };

    [Theory]
    [MemberData(nameof(FeatureSets))]
    public void Every_structure_of_a_filled_volume_is_read(string arguments, string size)
    {
        string source = Fill(arguments.Contains("inline_data", StringComparison.Ordinal));
        string image = scratch["v.img"];
        string[] all = ["-q", "-F", .. arguments.Split(' '), "-d", source, image, size];
        OutsideProgram.Run("mke2fs", all);

        using VolumeAudit audit = new VolumeAudit(image).Run();
        Assert.True(audit.Inodes > 2000, $"{audit.Inodes} inodes");
        bool hasInline = arguments.Contains("inline_data", StringComparison.Ordinal);
        Assert.True(audit.DirectoryEntries > 2000, $"{audit.DirectoryEntries} entries");
        Assert.Equal(hasInline, audit.InlineInodes > 0);
        if (arguments.Contains("^extent", StringComparison.Ordinal) || !arguments.Contains("ext4", StringComparison.Ordinal))
        {
            Assert.True(audit.IndirectBlocks > 0);
        }

        AssertDumpAgrees(image, audit);
    }

    [Fact]
    public void Hashed_directories_and_deep_extent_trees_of_the_checker_are_read()
    {
        string image = scratch["v.img"];
        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-N", "20000", "-d", Fill(false), image, "64M");

        // e2fsck -D rebuilds directories as hash trees.
        (int code, string output) = OutsideProgram.TryRun("e2fsck", "-fyD", image);
        Assert.True(code <= 1, output);
        using VolumeAudit audit = new VolumeAudit(image).Run();
        Assert.True(audit.IndexBlocks > 0);
        Assert.True(audit.ExtentBlocks > 0);
        Assert.True(audit.Attributes > 0);
    }

    [Theory]
    [InlineData(DirectoryHashVersion.Legacy)]
    [InlineData(DirectoryHashVersion.HalfMd4)]
    [InlineData(DirectoryHashVersion.Tea)]
    [InlineData(DirectoryHashVersion.LegacyUnsigned)]
    [InlineData(DirectoryHashVersion.HalfMd4Unsigned)]
    [InlineData(DirectoryHashVersion.TeaUnsigned)]
    internal void Names_hash_as_in_debugfs(DirectoryHashVersion version)
    {
        const string Seed = "5007b5d9-5965-48ab-a09b-8d0abe53d843";
        string[] names = ["a", "lost+found", "überlänge-ß", new('x', 31), new('y', 32), new('z', 33), new('ä', 60), "name-with-16-chr", .. LongNames()];
        foreach (string name in names)
        {
            foreach (string seed in new[] { Seed, Guid.Empty.ToString() })
            {
                string said = OutsideProgram.Run("debugfs", "-R", $"dx_hash -h {(int)version} -s {seed} {name}");
                DirectoryHash hash = DirectoryHash.Compute(System.Text.Encoding.UTF8.GetBytes(name), version, Guid.Parse(seed));
                Assert.Contains($"is 0x{hash.Major:x} (minor 0x{hash.Minor:x})", said, StringComparison.Ordinal);
            }
        }
    }

    private static IEnumerable<string> LongNames() => Enumerable.Range(1, 12).Select(i => string.Concat(Enumerable.Repeat("nö7", i * 5)));

    private static void AssertDumpAgrees(string image, VolumeAudit audit)
    {
        Dictionary<string, string> said = Dump(image);
        Superblock superblock = audit.Superblock;
        Assert.Equal(said["Filesystem UUID"], superblock.Uuid.ToString());
        Assert.Equal(said["Filesystem features"].Replace("(none)", string.Empty).Split(' ', StringSplitOptions.RemoveEmptyEntries), FeatureNames.Of(superblock.Features));
        Assert.Equal(Number(said["Inode count"]), superblock.InodeCount);
        Assert.Equal(Number(said["Block count"]), superblock.BlockCount);
        Assert.Equal(Number(said["Reserved block count"]), superblock.ReservedBlockCount);
        Assert.Equal(Number(said["Free blocks"]), superblock.FreeBlockCount);
        Assert.Equal(Number(said["Free inodes"]), superblock.FreeInodeCount);
        Assert.Equal(Number(said["First block"]), superblock.FirstDataBlock);
        Assert.Equal(Number(said["Block size"]), (ulong)superblock.BlockSize);
        Assert.Equal(Number(said["Blocks per group"]), superblock.BlocksPerGroup);
        Assert.Equal(Number(said["Inodes per group"]), superblock.InodesPerGroup);
        Assert.Equal(Number(said["Inode blocks per group"]), audit.Geometry.InodeTableBlocks);
        Assert.Equal(Number(said.GetValueOrDefault("Reserved GDT blocks", "0")), superblock.ReservedDescriptorBlocks);
        Assert.Equal(Number(said.GetValueOrDefault("Inode size", "128")), (ulong)superblock.InodeSize);
        Assert.Equal(Number(said.GetValueOrDefault("Group descriptor size", "32")), (ulong)superblock.DescriptorSize);
        Assert.Equal(said.GetValueOrDefault("Directory Hash Seed", Guid.Empty.ToString()), superblock.HashSeed.ToString());
        if (said.TryGetValue("Overhead clusters", out string? overhead) && !superblock.Has(ReadOnlyCompatFeatures.BigAlloc))
        {
            ulong journal = said.TryGetValue("Total journal blocks", out string? blocks) ? Number(blocks) : 0;
            Assert.InRange(Number(overhead), audit.Geometry.CountOverheadBlocks() + journal, audit.Geometry.CountOverheadBlocks() + journal + 8);
        }

        AssertGroupsAgree(image, audit);
    }

    private static void AssertGroupsAgree(string image, VolumeAudit audit)
    {
        string[] lines = OutsideProgram.Run("dumpe2fs", "-g", image).Split('\n');
        var rows = lines.Where(line => line.Length > 0 && char.IsDigit(line[0])).Select(line => line.Split(':')).ToList();
        Assert.Equal(audit.Geometry.GroupCount, (uint)rows.Count);
        for (uint group = 0; group < rows.Count; group++)
        {
            string[] row = rows[(int)group];
            GroupDescriptor descriptor = audit.ReadDescriptor(new BlockGroup(group));
            Assert.Equal(Number(row[1]), audit.Geometry.FirstBlockOf(new BlockGroup(group)).Value);
            Assert.Equal(row[2] != "-1", audit.Geometry.HasSuperblock(new BlockGroup(group)));
            Assert.Equal(row[3] != "-1", audit.Geometry.DescriptorBlocksAt(new BlockGroup(group)) > 0);
            Assert.Equal(Number(row[4]), descriptor.BlockBitmap.Value);
            Assert.Equal(Number(row[5]), descriptor.InodeBitmap.Value);
            Assert.Equal(Number(row[6]), descriptor.InodeTable.Value);
        }
    }

    private static Dictionary<string, string> Dump(string image) =>
        OutsideProgram.Run("dumpe2fs", "-h", image).Split('\n')
            .Select(line => line.Split(':', 2))
            .Where(parts => parts.Length == 2)
            .GroupBy(parts => parts[0], parts => parts[1].Trim())
            .ToDictionary(group => group.Key, group => group.First());

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);

    private string Fill(bool isInline)
    {
        string source = Directory.CreateDirectory(scratch["source"]).FullName;
        string many = Directory.CreateDirectory(Path.Combine(source, "many")).FullName;
        for (int i = 0; i < 2000; i++)
        {
            File.WriteAllText(Path.Combine(many, $"a-file-with-a-longish-name-{i:d6}"), i % 50 == 0 ? "contents" : string.Empty);
        }

        File.CreateSymbolicLink(Path.Combine(source, "short"), "target");
        File.CreateSymbolicLink(Path.Combine(source, "long"), new string('t', 100));
        byte[] noise = new byte[600_000];
        new Random(5).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(source, "big"), noise);
        if (!isInline)
        {
            MakeSparse(Path.Combine(source, "sparse"));
        }

        OutsideProgram.TryRun("setfattr", "-n", "user.small", "-v", "value", Path.Combine(source, "big"));
        OutsideProgram.TryRun("setfattr", "-n", "user.large", "-v", new string('v', 900), Path.Combine(source, "big"));
        return source;
    }

    // mke2fs -d writes sparse files wrongly with inline_data, so only without it.
    private static void MakeSparse(string path)
    {
        using FileStream file = File.Create(path);
        for (int i = 0; i < 200; i++)
        {
            file.Position = i * 131_072L;
            file.Write("island"u8);
        }
    }
}

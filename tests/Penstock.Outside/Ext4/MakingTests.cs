using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Format;
using Penstock.Ext4.Making;
using Penstock.Files;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Volumes that we make, judged by e2fsck, and compared with what mke2fs makes of the same arguments.</summary>
public sealed class MakingTests : IDisposable
{
    private static readonly Guid Uuid = Guid.Parse("01234567-89ab-4def-8123-456789abcdef");
    private static readonly Guid Seed = Guid.Parse("fedcba98-7654-4210-8fed-cba987654321");

    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    /// <summary>Type, features, block size (0: by size), cluster size, inode size, size in KiB.</summary>
    public static TheoryData<string, string, int, int, int, long> Combinations => new()
    {
        { "ext4", "", 0, 0, 256, 64 << 10 },
        { "ext4", "", 0, 0, 256, 300 },
        { "ext4", "", 0, 0, 256, 1 << 10 },
        { "ext4", "", 0, 0, 256, 2 << 10 },
        { "ext4", "", 0, 0, 256, 5 << 10 },
        { "ext4", "", 0, 0, 256, 100 << 10 },
        { "ext4", "", 0, 0, 256, 1 << 20 },
        { "ext4", "", 0, 0, 256, 20 << 20 },
        { "ext4", "", 0, 0, 256, 300L << 20 },
        { "ext4", "", 1024, 0, 256, 1 << 20 },
        { "ext4", "", 2048, 0, 256, 1 << 20 },
        { "ext4", "", 8192, 0, 256, 1 << 20 },
        { "ext4", "", 16384, 0, 256, 1 << 20 },
        { "ext4", "", 32768, 0, 512, 1 << 20 },
        { "ext4", "", 65536, 0, 256, 2 << 20 },
        { "ext4", "", 4096, 0, 128, 200 << 10 },
        { "ext4", "", 4096, 0, 1024, 200 << 10 },
        { "ext4", "^has_journal", 4096, 0, 256, 64 << 10 },
        { "ext4", "^metadata_csum,uninit_bg", 0, 0, 256, 64 << 10 },
        { "ext4", "^metadata_csum", 0, 0, 256, 64 << 10 },
        { "ext4", "^64bit", 0, 0, 256, 1 << 20 },
        { "ext4", "^flex_bg", 0, 0, 256, 1 << 20 },
        { "ext4", "^extent,^64bit", 0, 0, 256, 1 << 20 },
        { "ext4", "meta_bg,^resize_inode", 1024, 0, 256, 600 << 10 },
        { "ext4", "meta_bg,^flex_bg,^resize_inode", 1024, 0, 256, 600 << 10 },
        { "ext4", "meta_bg,^sparse_super,^resize_inode", 1024, 0, 256, 600 << 10 },
        { "ext4", "^resize_inode", 0, 0, 256, 1 << 20 },
        { "ext4", "^resize_inode,^sparse_super", 0, 0, 256, 1 << 20 },
        { "ext4", "sparse_super2", 0, 0, 256, 1 << 20 },
        { "ext4", "sparse_super2,^resize_inode", 0, 0, 256, 1 << 20 },
        { "ext4", "metadata_csum_seed", 0, 0, 256, 64 << 10 },
        { "ext4", "orphan_file", 0, 0, 256, 64 << 10 },
        { "ext4", "orphan_file", 4096, 0, 256, 4 << 20 },
        { "ext4", "mmp", 0, 0, 256, 64 << 10 },
        { "ext4", "mmp", 1024, 0, 256, 1 << 20 },
        { "ext4", "quota", 0, 0, 256, 64 << 10 },
        { "ext4", "quota,project", 4096, 0, 256, 1 << 20 },
        { "ext4", "quota,project,orphan_file,mmp,inline_data", 4096, 0, 256, 1 << 20 },
        { "ext4", "bigalloc,quota,project", 4096, 65536, 256, 2 << 20 },
        { "ext4", "quota", 65536, 0, 256, 2 << 20 },
        { "ext2", "quota", 1024, 0, 256, 64 << 10 },
        { "ext4", "inline_data", 0, 0, 256, 64 << 10 },
        { "ext4", "ea_inode,large_dir", 0, 0, 256, 64 << 10 },
        { "ext4", "casefold", 0, 0, 256, 64 << 10 },
        { "ext4", "encrypt,verity,stable_inodes", 0, 0, 256, 64 << 10 },
        { "ext4", "bigalloc", 4096, 16384, 256, 1 << 20 },
        { "ext4", "bigalloc,^resize_inode", 1024, 16384, 256, 64 << 10 },
        { "ext4", "bigalloc,^resize_inode", 1024, 16384, 256, 1 << 20 },
        { "ext4", "bigalloc,^resize_inode", 4096, 65536, 256, 8 << 20 },
        { "ext4", "bigalloc,orphan_file,mmp", 4096, 65536, 256, 2 << 20 },
        { "ext4", "bigalloc,^flex_bg", 4096, 65536, 256, 20 << 20 },
        { "ext2", "", 0, 0, 256, 1 << 10 },
        { "ext2", "", 0, 0, 256, 64 << 10 },
        { "ext2", "", 0, 0, 256, 2 << 20 },
        { "ext2", "", 4096, 0, 128, 64 << 10 },
        { "ext2", "none", 1024, 0, 128, 8 << 10 },
        { "ext2", "^filetype,^dir_index,^ext_attr", 1024, 0, 128, 8 << 10 },
        { "ext2", "^sparse_super,^resize_inode", 1024, 0, 128, 64 << 10 },
        { "ext3", "", 0, 0, 256, 64 << 10 },
        { "ext3", "", 4096, 0, 256, 20 << 20 },
        { "ext3", "", 65536, 0, 256, 2 << 20 },
    };

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task The_checker_finds_nothing_and_the_geometry_is_that_of_mke2fs(
        string type, string features, int blockSize, int clusterSize, int inodeSize, long kibibytes)
    {
        string ours = scratch.MakeImage("ours.img", kibibytes << 10);
        Dirty(ours);
        MakingOptions options = Options(type, features, blockSize, clusterSize, inodeSize);
        await MakeAsync(ours, options);
        string verdict = OutsideProgram.Run("e2fsck", "-fn", ours);
        Assert.DoesNotContain("WARNING", verdict, StringComparison.Ordinal);
        using (new VolumeAudit(ours).Run())
        {
        }

        string theirs = scratch.MakeImage("theirs.img", kibibytes << 10);
        OutsideProgram.Run("mke2fs", [.. Arguments(type, features, blockSize, clusterSize, inodeSize), theirs]);
        AssertSameGeometry(theirs, ours);
    }

    [Theory]
    [InlineData("ext4", "", 16 << 10)]
    [InlineData("ext4", "", 64 << 10)]
    [InlineData("ext4", "^metadata_csum,uninit_bg", 64 << 10)]
    [InlineData("ext4", "orphan_file,metadata_csum_seed", 64 << 10)]
    [InlineData("ext4", "bigalloc", 1 << 20)]
    [InlineData("ext4", "", 4 << 20)]
    [InlineData("ext3", "", 64 << 10)]
    [InlineData("ext2", "", 64 << 10)]
    public async Task The_kernel_mounts_it_and_writes_to_it(string type, string features, long kibibytes)
    {
        Assert.SkipUnless(Environment.UserName == "root", "mounting needs root");
        string image = scratch.MakeImage("v.img", kibibytes << 10);
        Dirty(image);
        await MakeAsync(image, Options(type, features, features.Contains("bigalloc") ? 4096 : 0, 0, 256));
        string point = Directory.CreateDirectory(scratch["mnt"]).FullName;
        OutsideProgram.Run("mount", "-o", "loop", "-t", type, image, point);
        try
        {
            for (int i = 0; i < 300; i++)
            {
                File.WriteAllText(Path.Combine(point, $"file{i}"), new string('x', i * 20));
            }
        }
        finally
        {
            OutsideProgram.Run("umount", point);
        }

        OutsideProgram.Run("e2fsck", "-fn", image);
    }

    [Theory]
    [InlineData(60)]
    [InlineData(100)]
    [InlineData(200)]
    public async Task Volumes_too_small_for_mke2fs_are_sound(long kibibytes)
    {
        string image = scratch.MakeImage("v.img", kibibytes << 10);
        Dirty(image);
        await MakeAsync(image, Options("ext4", "", 0, 0, 256));
        OutsideProgram.Run("e2fsck", "-fn", image);
    }

    [Fact]
    public async Task The_same_options_make_the_same_bytes()
    {
        string first = scratch.MakeImage("a.img", 32 << 20);
        string second = scratch.MakeImage("b.img", 32 << 20);
        await MakeAsync(first, Options("ext4", "orphan_file", 0, 0, 256));
        await MakeAsync(second, Options("ext4", "orphan_file", 0, 0, 256));
        Assert.True(File.ReadAllBytes(first).AsSpan().SequenceEqual(File.ReadAllBytes(second)));
    }

    [Fact]
    public async Task A_device_with_large_blocks_carries_a_volume_with_small_ones()
    {
        string image = scratch.MakeImage("v.img", 32 << 20);
        await MakeAsync(image, Options("ext4", "", 1024, 0, 256), logicalBlockSize: 4096);
        OutsideProgram.Run("e2fsck", "-fn", image);
    }

    [Fact]
    public async Task Fifteen_tebibytes_stay_sparse()
    {
        string image = scratch.MakeImage("v.img", 15L << 40);
        long before = GC.GetTotalAllocatedBytes();
        await MakeAsync(image, Options("ext4", "", 0, 0, 256));
        long allocated = GC.GetTotalAllocatedBytes() - before;
        string used = OutsideProgram.Run("du", "-k", image).Split('\t')[0];
        Assert.True(long.Parse(used, System.Globalization.CultureInfo.InvariantCulture) < 400 << 10, used + " KiB");
        // Other tests allocate meanwhile; a bitmap for each of 122,880 groups would be 480 MiB of bitmaps alone, and as much again of tables.
        Assert.True(allocated < 1L << 30, $"{allocated} bytes");
        string said = OutsideProgram.Run("dumpe2fs", "-h", image);
        Assert.Contains("Block count:              4026531840", said, StringComparison.Ordinal);
        Assert.Contains("Inode count:              503316480", said, StringComparison.Ordinal);
        Assert.Contains("Overhead clusters:        32016409", said, StringComparison.Ordinal);
        Assert.Contains("Free blocks:              3994515424", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(16L << 10)]
    [InlineData(40L << 10)]
    [InlineData(0L)]
    public async Task Too_small_is_a_clear_error(long length)
    {
        string image = scratch.MakeImage("v.img", length);
        var thrown = await Assert.ThrowsAsync<FileSystemException>(() => MakeAsync(image, Options("ext4", "", 4096, 0, 256)));
        Assert.Equal(IoFault.NoSpace, thrown.Fault);
        Assert.Contains("too", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bigalloc,^extent,^64bit", "bigalloc needs extent")]
    [InlineData("nonsense", "no feature nonsense")]
    [InlineData("resize_inode,meta_bg", "exclude each other")]
    [InlineData("compression", "compression")]
    public async Task Features_that_cannot_be_are_refused(string features, string message)
    {
        string image = scratch.MakeImage("v.img", 64 << 20);
        var thrown = await Assert.ThrowsAnyAsync<FileSystemException>(() => MakeAsync(image, Options("ext4", features, 0, 0, 256)));
        Assert.Contains(message, thrown.Message, StringComparison.Ordinal);
    }

    private static MakingOptions Options(string type, string features, int blockSize, int clusterSize, int inodeSize) => new()
    {
        Kind = type switch { "ext2" => VolumeKind.Ext2, "ext3" => VolumeKind.Ext3, _ => VolumeKind.Ext4 },
        Features = features,
        BlockSize = blockSize == 0 ? null : blockSize,
        ClusterSize = clusterSize == 0 ? null : clusterSize,
        InodeSize = inodeSize,
        Uuid = Uuid,
        HashSeed = Seed,
        Time = new Timestamp(1_700_000_000),
        Label = "made",
    };

    private static string[] Arguments(string type, string features, int blockSize, int clusterSize, int inodeSize)
    {
        List<string> all = ["-q", "-F", "-t", type, "-I", $"{inodeSize}", "-L", "made", "-U", Uuid.ToString(), "-E", $"hash_seed={Seed}"];
        all.AddRange(features.Length > 0 ? ["-O", features] : []);
        all.AddRange(blockSize > 0 ? ["-b", $"{blockSize}"] : []);
        all.AddRange(clusterSize > 0 ? ["-C", $"{clusterSize}"] : []);
        return [.. all];
    }

    private static async Task MakeAsync(string image, MakingOptions options, int logicalBlockSize = 512)
    {
        BlockDevice device = logicalBlockSize > 512
            ? new ImageFileDevice(image, Scheduler.Default, logicalBlockSize)
            : await DeviceOpener.OpenAsync(image, new DeviceOptions());
        await using (device)
        {
            await Ext4Maker.MakeAsync(device, options);
        }
    }

    /// <summary>Leaves the traces of another life all over the start of an image: nothing of it may matter.</summary>
    private static void Dirty(string image)
    {
        byte[] noise = new byte[1 << 20];
        new Random(7).NextBytes(noise);
        using FileStream file = File.OpenWrite(image);
        for (long at = 0; at < Math.Min(file.Length, 24 << 20); at += noise.Length)
        {
            file.Write(noise, 0, (int)Math.Min(noise.Length, file.Length - at));
        }
    }

    private static void AssertSameGeometry(string theirs, string ours)
    {
        Dictionary<string, string> expected = Dump(theirs);
        Dictionary<string, string> actual = Dump(ours);
        string[] ignored =
        [
            "Filesystem created", "Last write time", "Last checked", "Lifetime writes", "Checksum", "Journal checksum", "    mmp_update_date", "    mmp_update_time",
            "    mmp_node_name", "    mmp_device_name",

            // mke2fs puts the root directory of an inline_data volume into its inode.
            .. expected["Filesystem features"].Contains("inline_data", StringComparison.Ordinal) ? (string[])["Free blocks", "MMP block number"] : [],

            // With bigalloc mke2fs gives a flex group's bitmaps clusters of their own where we share them.
            .. expected["Filesystem features"].Contains("bigalloc", StringComparison.Ordinal) ? (string[])["Free blocks", "Overhead clusters", "MMP block number"] : [],
        ];
        var differences = expected.Keys.Union(actual.Keys)
            .Except(ignored)
            .Where(key => expected.GetValueOrDefault(key) != actual.GetValueOrDefault(key))
            .Select(key => $"{key}: {expected.GetValueOrDefault(key)} with mke2fs, {actual.GetValueOrDefault(key)} with us");
        Assert.Equal(string.Empty, string.Join('\n', differences));
    }

    private static Dictionary<string, string> Dump(string image) =>
        OutsideProgram.Run("dumpe2fs", "-h", image).Split('\n')
            .Select(line => line.Split(':', 2))
            .Where(parts => parts.Length == 2)
            .GroupBy(parts => parts[0], parts => parts[1].Trim())
            .ToDictionary(group => group.Key, group => group.First());
}

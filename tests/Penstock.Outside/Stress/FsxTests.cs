using Penstock.Outside.Volumes;
using Penstock.Stress.Fsx;
using Penstock.Stress.Targets;
using Xunit;

namespace Penstock.Outside.Stress;

/// <summary>Random operations on files of our volumes, in process and mounted, every byte checked; e2fsck has the last word.</summary>
public sealed class FsxTests
{
    private static readonly FsxOptions s_options = new() { Operations = 2_500, Seed = 11 };

    [Theory]
    [InlineData("-t ext2 -b 1024")]
    [InlineData("-t ext3 -b 4096")]
    [InlineData("-t ext4 -b 1024")]
    [InlineData("-t ext4 -b 4096")]
    [InlineData("-t ext4 -O bigalloc -C 16384")]
    [InlineData("-t ext4 -O inline_data")]
    public async Task A_volume_in_process_is_right(string making)
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 128 << 20);
        OutsideProgram.Run("mkfs.ext4", [.. making.Split(' '), "-q", "-F", image]);
        await RunInProcessAsync(image, s_options, cacheBytes: null);
    }

    /// <summary>A file whose size goes up and down around what its inode holds.</summary>
    [Theory]
    [InlineData("-I 256")]
    [InlineData("-I 1024 -b 1024")]
    public async Task A_file_in_its_inode_is_right(string making)
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 32 << 20);
        OutsideProgram.Run("mkfs.ext4", ["-O", "inline_data", .. making.Split(' '), "-q", "-F", image]);
        await RunInProcessAsync(image, s_options with { Files = 4, MaxLength = 1100, MaxTransfer = 300 }, cacheBytes: null);
    }

    [Fact]
    public async Task A_volume_with_blocks_of_64_KiB_is_right()
    {
        using var scratch = new ScratchFolder();
        string image = scratch["v.img"];
        await Volume.MakeAsync(image, new MakingOptions { Length = 256 << 20, BlockSize = 65536 });
        await RunInProcessAsync(image, s_options with { Operations = 1_500, MaxLength = 1 << 20, MaxTransfer = 256 << 10 }, cacheBytes: null);
    }

    [Fact]
    public async Task Several_threads_and_files_with_little_cache_and_both_modes_in_flight_are_right()
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 256 << 20);
        OutsideProgram.Run("mkfs.ext4", "-q", "-F", image);
        await RunInProcessAsync(image, s_options with { Threads = 4, Files = 3, MixesModes = true }, cacheBytes: 4 << 20);
    }

    /// <summary>What was found once, by its log.</summary>
    [Theory]
    [InlineData("-t ext4 -b 1024", "write 0x39000 0x1 number=1", "punch 0x37000 0x2800 number=2", "remount number=3")]
    [InlineData("-t ext2 -b 1024", "truncate 0x37000 number=1", "append 0x1 number=2", "punch 0x37000 0x1 number=3", "remount number=4")]
    public async Task What_was_found_is_found_no_more(string making, params string[] log)
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 64 << 20);
        OutsideProgram.Run("mkfs.ext4", [.. making.Split(' '), "-q", "-F", image]);
        using (VolumeFolder folder = await VolumeFolder.OpenAsync(image, "/file", cacheBytes: null))
        {
            Judge(folder, s_options, run => run.Replay(new FsxLog(s_options, [.. log.Select(FsxOperation.Parse)])));
        }

        MountedVolume.Judge(image);
    }

    [Theory]
    [InlineData("mkfs.ext4", 1)]
    [InlineData("mkfs.ext4 -b 1024", 2)]
    [InlineData("mkfs.ext4 -t ext2 -O ^extents,^64bit", 1)]
    public void A_mount_is_right(string making, int threads) => MountedVolume.Use(making, v =>
    {
        using var folder = new HostFolder(v.Root);
        Judge(folder, s_options with { Threads = threads }, run => run.Run());
    });

    [Theory]
    [InlineData("mkfs.ext4 -q -F")]
    [InlineData("mkfs.xfs -q")]
    [InlineData("mkfs.btrfs -q")]
    [InlineData("tmpfs")]
    public void The_kernel_is_not_accused(string making)
    {
        Needs.LoopMounts();
        Needs.Tools(making.Split(' ')[0] is var tool && tool == "tmpfs" ? "mount" : tool);
        using var scratch = new ScratchFolder();
        string root = scratch["mnt"];
        Directory.CreateDirectory(root);
        string image = scratch.MakeImage("k.img", 320 << 20);
        if (making == "tmpfs")
        {
            OutsideProgram.Run("mount", "-t", "tmpfs", "none", root);
        }
        else
        {
            OutsideProgram.Run(making.Split(' ')[0], [.. making.Split(' ')[1..], image]);
            Assert.SkipUnless(OutsideProgram.TryRun("mount", "-o", "loop", image, root).ExitCode == 0, $"this kernel does not mount what {making} makes");
        }

        try
        {
            using var folder = new HostFolder(root);
            Judge(folder, s_options with { Operations = 2_000 }, run => run.Run());
        }
        finally
        {
            OutsideProgram.Run("umount", root);
        }
    }

    [Fact]
    public async Task A_full_volume_ends_the_run_with_one_line()
    {
        using var scratch = new ScratchFolder();
        string image = scratch.MakeImage("v.img", 8 << 20);
        OutsideProgram.Run("mkfs.ext4", "-b", "1024", "-q", "-F", image);
        for (ulong seed = 1; seed <= 3; seed++)
        {
            using VolumeFolder folder = await VolumeFolder.OpenAsync(image, "/", cacheBytes: null);
            var run = new FsxRun(folder, s_options with { Operations = 200_000, Seed = seed, MaxLength = 16 << 20, MaxTransfer = 1 << 20 }, new FsxProgress(CancellationToken.None));
            run.Prepare();
            Assert.Equal(IoFault.NoSpace, Assert.ThrowsAny<FileSystemException>(() => run.Run()).Fault);
        }

        MountedVolume.Judge(image);
    }

    [Fact]
    public void A_mount_that_goes_in_the_middle_ends_the_run_with_one_line()
    {
        Needs.Mounts();
        using var scratch = new ScratchFolder();
        string root = scratch["mnt"];
        Directory.CreateDirectory(root);
        OutsideProgram.Run("mount", "-t", "tmpfs", "none", root);
        string folder = Path.Combine(root, "folder");
        Directory.CreateDirectory(folder);
        try
        {
            using var place = new HostFolder(folder);
            var run = new FsxRun(place, s_options with { Operations = long.MaxValue / 2 }, new FsxProgress(CancellationToken.None));
            run.Prepare();
            Task<FsxFinding?> work = Task.Factory.StartNew(run.Run, TaskCreationOptions.LongRunning);
            Directory.Delete(folder, recursive: true);
            Assert.ThrowsAny<FileSystemException>(() => work.GetAwaiter().GetResult());
        }
        finally
        {
            OutsideProgram.Run("umount", root);
        }
    }

    private static async Task RunInProcessAsync(string image, FsxOptions options, long? cacheBytes)
    {
        using (VolumeFolder folder = await VolumeFolder.OpenAsync(image, "/", cacheBytes))
        {
            Judge(folder, options, run => run.Run());
        }

        MountedVolume.Judge(image);
    }

    private static void Judge(StressFolder folder, FsxOptions options, Func<FsxRun, FsxFinding?> run)
    {
        var started = new FsxRun(folder, options, new FsxProgress(CancellationToken.None));
        started.Prepare();
        FsxFinding? finding = run(started);
        Assert.True(finding is null, finding is null ? null : Describe(finding));
    }

    private static string Describe(FsxFinding finding) => finding.Shrunk is { } shrunk
        ? $"{FsxReport.Describe(shrunk.Found, shrunk.Operations)}\n{string.Join('\n', shrunk.Operations)}"
        : FsxReport.Describe(finding.Found, finding.Log);
}

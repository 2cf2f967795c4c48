using System.Globalization;
using Xunit;

namespace Penstock.Outside.Ext4;

/// <summary>Our check against e2fsck: on the volumes that e2fsprogs keeps, and on fresh damage of many feature sets.</summary>
public sealed class CheckTests : IDisposable
{
    private const int Seeds = 40;
    private const int LongSeeds = 2000;

    private readonly ScratchFolder scratch = new();

    public void Dispose() => scratch.Dispose();

    public static TheoryData<string> BrokenVolumes() => BrokenVolumeTests.Volumes();

    /// <summary>What mke2fs makes a volume with; each is filled with the same tree.</summary>
    public static TheoryData<string> FeatureSets() =>
    [
        "-t ext2 -b 1024",
        "-t ext3 -b 1024 -I 128",
        "-t ext4 -b 1024",
        "-t ext4 -b 4096",
        "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg",
        "-t ext4 -b 1024 -O ^metadata_csum,^flex_bg,^64bit -N 512",
        "-t ext4 -b 1024 -O bigalloc -C 4096",
        "-t ext4 -b 2048 -O inline_data,metadata_csum_seed",
        "-t ext4 -b 1024 -O meta_bg,^resize_inode,sparse_super2",
        "-t ext4 -b 1024 -O quota,project,ea_inode,large_dir,orphan_file,mmp,casefold,verity -E quotatype=usrquota:grpquota:prjquota",
        "-t ext4 -b 1024 -O ^has_journal,^dir_index,^extent,^64bit,^filetype",
    ];

    [Theory]
    [MemberData(nameof(BrokenVolumes))]
    public async Task Agrees_with_e2fsck_on_broken_volumes(string name)
    {
        string image = BrokenVolumeTests.Unpack(name, scratch["v.img"]);
        if (BrokenVolumeTests.FindExitCode(name) is not { } expected)
        {
            Assert.Skip("e2fsck itself does not finish.");
            return;
        }

        string before = OutsideProgram.Run("sha256sum", image);
        CheckReport report = await VolumeCheck.RunAsync(image);
        Assert.True((report.Verdict == CheckVerdict.Clean) == (expected == 0), $"e2fsck: {expected}; ours:\n{Describe(report)}");
        Assert.Equal(before, OutsideProgram.Run("sha256sum", image));
    }

    [Theory]
    [MemberData(nameof(FeatureSets))]
    public async Task Agrees_with_e2fsck_on_fresh_damage(string features)
    {
        string image = MakeVolume(scratch, features);
        CheckReport sound = await VolumeCheck.RunAsync(image);
        Assert.True(sound.Verdict == CheckVerdict.Clean, Describe(sound));
        VolumeMutation mutation = await VolumeMutation.OpenAsync(image);
        bool isLong = Environment.GetEnvironmentVariable("PENSTOCK_LONG") == "1";
        int first = int.Parse(Environment.GetEnvironmentVariable("PENSTOCK_SEED") ?? "0", CultureInfo.InvariantCulture);
        var differences = new List<string>();
        for (int seed = first; seed < first + (isLong ? LongSeeds : Seeds); seed++)
        {
            string damage = mutation.Damage(seed);
            CheckReport ours = await VolumeCheck.RunAsync(image).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
            (int theirs, string output) = Script.TryRun(scratch.Root, $"e2fsck -fn {image}", 20);
            mutation.Undo();

            // What e2fsck does not survive, or not finish, is no verdict.
            bool isJudged = theirs is 0 or 4 or 12;
            if (isJudged && (theirs == 0) != (ours.Verdict == CheckVerdict.Clean))
            {
                differences.Add($"seed {seed}: {damage}\n  e2fsck {theirs}: {Shorten(output)}\n  ours {ours.Verdict}: {Shorten(Describe(ours))}");
            }
        }

        Assert.True(differences.Count == 0, $"{features}: {differences.Count} differ\n{string.Join('\n', differences)}");
    }

    [Fact]
    public async Task A_volume_of_15_TiB_is_clean_and_costs_what_is_used_of_it()
    {
        Needs.Tools("mke2fs", "python3");
        string image = scratch.MakeImage("big.img", 15L << 40);
        OutsideProgram.Run("mke2fs", "-q", "-F", "-t", "ext4", "-E", "nodiscard,lazy_itable_init=1", image);
        CheckReport report = await VolumeCheck.RunAsync(image);
        Assert.True(report.Verdict == CheckVerdict.Clean, Describe(report));
        Assert.Equal(11u, report.UsedInodes);

        // Its memory, in a process of its own: what other tests use at the same time is none of ours.
        string kilobytes = OutsideProgram.Run("python3", "-c", """
            import resource, subprocess, sys
            subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
            print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
            """, Volumes.PenstockProgram.Path, "check", image);
        Assert.InRange(long.Parse(kilobytes, CultureInfo.InvariantCulture), 1, 256 << 10);
    }

    private static string Describe(CheckReport report) => $"{report.Verdict}\n{string.Join('\n', report.Problems)}";

    internal static string Shorten(string text)
    {
        IEnumerable<string> lines = text.Split('\n').Where(l => l.Length > 0 && !l.StartsWith("Pass", StringComparison.Ordinal) && !l.StartsWith("e2fsck 1", StringComparison.Ordinal));
        return string.Join(" | ", lines.Take(6));
    }

    internal static string MakeVolume(ScratchFolder scratch, string features)
    {
        Needs.Tools("mke2fs", "e2fsck", "debugfs");
        Directory.CreateDirectory(scratch["tree"]);
        Script.Run(scratch["tree"], """
            mkdir -p many deep/a/b/c empty
            for i in $(seq 1 400); do echo $i > many/a-rather-long-name-for-a-file-$i; done
            head -c 300000 /dev/zero | tr '\0' x > large
            for i in 0 2 4 6 8 10 12 14 16 18 20; do printf x | dd of=sparse bs=8192 seek=$i conv=notrunc status=none; done
            ln -s short/target link; ln -s "$(head -c 200 /dev/zero | tr '\0' l)" long-link
            ln large second-name; mkfifo pipe; echo content > deep/a/b/c/file
            setfattr -n user.one -v value large || true
            setfattr -n user.two -v "$(head -c 300 /dev/zero | tr '\0' v)" deep/a/b/c/file || true
            """);
        string image = scratch.MakeImage("m.img", 12 << 20);
        Script.Run(scratch.Root, $"mke2fs -q -F {features} -d tree {image} && (e2fsck -fyD {image} >/dev/null || [ $? -le 1 ]) && e2fsck -fn {image}");
        return image;
    }
}

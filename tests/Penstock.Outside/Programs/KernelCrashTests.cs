using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>
/// A volume crashes under load, under the kernel or under us, and is recovered by the kernel, by e2fsck and by us: the same tree comes out, to the last byte and
/// attribute, and e2fsck finds nothing to fix in what we recovered.
/// </summary>
public sealed class KernelCrashTests
{
    private const int Users = 2;

    [Theory]
    [InlineData("mkfs.ext4", "")]
    [InlineData("mkfs.ext4 -O ^metadata_csum,^64bit -b 1024", "")]
    [InlineData("mkfs.ext4 -O orphan_file", "data=journal")]
    [InlineData("mkfs.ext4 -O inline_data,bigalloc -C 16384", "data=writeback")]
    [InlineData("mkfs.ext4 -t ext3", "data=writeback,journal_checksum,journal_async_commit")]
    [InlineData("mkfs.ext4 -J device=JOURNAL", "")]
    public void A_volume_that_crashed_under_the_kernel(string making, string options)
    {
        Needs.LoopMounts();
        Needs.Tools("xfs_io");
        using var volume = new CrashedVolume(making);
        volume.CrashByKernel(options.Length == 0 ? "loop" : $"loop,{options}", root => Load(root, making.Length));
        volume.AssertRecoveredAlike();
    }

    [Theory]
    [InlineData("mkfs.ext4", "ordered")]
    [InlineData("mkfs.ext4 -b 1024 -J size=4", "ordered")]
    [InlineData("mkfs.ext4 -b 1024 -J size=4", "journal")]
    [InlineData("mkfs.ext4 -t ext3", "journal")]
    [InlineData("mkfs.ext4 -t ext3", "writeback")]
    [InlineData("mkfs.ext4 -O orphan_file,fast_commit", "ordered")]
    [InlineData("mkfs.ext4 -J device=JOURNAL", "ordered")]
    public void A_volume_that_crashed_under_us(string making, string data)
    {
        Needs.LoopMounts();
        using var volume = new CrashedVolume(making);
        volume.CrashByUs(root => Load(root, making.Length), "--data", data);
        volume.AssertRecoveredAlike();
    }

    [Fact]
    public void A_volume_whose_external_journal_is_not_given_can_only_be_read()
    {
        Needs.LoopMounts();
        using var volume = new CrashedVolume("mkfs.ext4 -J device=JOURNAL");
        (int code, string output) = PenstockProgram.TryRun("mkdir", $"{volume.Image}:/new");
        Assert.True(code != 0 && output.Contains("--journal DEVICE", StringComparison.Ordinal), output);
        using var other = new CrashedVolume("mkfs.ext4 -J device=JOURNAL");
        (code, output) = PenstockProgram.TryRun("mkdir", "--journal", other.JournalDevice!, $"{volume.Image}:/new");
        Assert.True(code != 0 && output.Contains("s_uuid", StringComparison.Ordinal), output);
        PenstockProgram.Run("mkdir", "--journal", volume.JournalDevice!, $"{volume.Image}:/new");
        PenstockProgram.Run("check", "--journal", volume.JournalDevice!, volume.Image);
        Assert.Contains("/new", PenstockProgram.Run("ls", "-d", "--journal", volume.JournalDevice!, $"{volume.Image}:/new"), StringComparison.Ordinal);
    }

    /// <summary>
    /// What fast commits tell is what was there before the crash; the kernel makes the same of it, unless the number of a file that was removed was given to another:
    /// that it refuses to recover. (e2fsck 1.47 loses what the last of them tell.)
    /// </summary>
    [Theory]
    [InlineData("mkfs.ext4 -O fast_commit", false)]
    [InlineData("mkfs.ext4 -O fast_commit,inline_data -b 1024 -J size=4", true)]
    [InlineData("mkfs.ext4 -O fast_commit,bigalloc -C 16384", true)]
    public void Fast_commits_are_recovered(string making, bool reusesNumbers)
    {
        Needs.LoopMounts();
        Needs.Tools("xfs_io");
        using var volume = new CrashedVolume(making);
        SortedDictionary<string, string> before = [];
        volume.CrashByKernel("loop", root =>
        {
            Script.Run(root, FastCommitted + (reusesNumbers ? Reusing : string.Empty));
            before = WithoutFolderTimes(TreeListing.Of(root));
            return static () => { };
        });
        (SortedDictionary<string, string> overlaid, SortedDictionary<string, string> replayed) = volume.RecoverByUs(isSameVolume: false, "fast commits");
        TreeListing.AssertSame(before, WithoutFolderTimes(overlaid));
        TreeListing.AssertSame(before, WithoutFolderTimes(replayed));
        if (!reusesNumbers)
        {
            TreeListing.AssertSame(WithoutFolderTimes(volume.RecoverByKernel(isSameVolume: false)), before);
        }
    }

    private const string FastCommitted = """
        mkdir d e; for i in 1 2 3 4 5 6 7; do echo old $i > d/old$i; done; dd if=/dev/urandom of=big bs=64k count=20 2>/dev/null; sync -f .
        echo a > d/a; sync d/a; mv d/old1 e/moved; ln d/old2 e/hard; mkdir d/sub; echo s > d/sub/s; sync d/sub/s; mkfifo d/fifo; mknod d/device c 5 6
        truncate -s 100000 big; sync big; dd if=/dev/urandom of=big bs=4k seek=100 count=3 conv=notrunc 2>/dev/null; sync big
        fallocate -l 400k pre; sync pre; dd if=/dev/urandom of=pre bs=4k seek=10 count=5 conv=notrunc 2>/dev/null; sync pre
        echo replacing > new; sync new; mv new d/old4; chmod 600 d/old5; chown 5:6 d/old5; touch -d 2030-01-01 d/a; ln -s short d/link; sync d/old5
        for i in $(seq 40); do echo n$i > e/a-rather-long-name-so-that-the-folder-soon-needs-more-than-one-block-$i; sync e/a-rather*-$i; done
        rm d/old3 d/old6; echo end > end; sync end

        """;

    private const string Reusing = """
        for i in $(seq 9); do echo f$i > d/f$i; sync d/f$i; rm d/f$i; mkdir d/g$i; echo g > d/g$i/g; sync d/g$i/g; [ $((i % 2)) = 0 ] || rm -r d/g$i; done
        exec 7> gone; echo gone >&7; sync gone; rm gone; echo last > last; sync last
        """;

    /// <summary>Fast commits do not tell when a folder was changed.</summary>
    private static SortedDictionary<string, string> WithoutFolderTimes(SortedDictionary<string, string> listing)
    {
        var kept = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, string line) in listing)
        {
            kept.Add(name, line.StartsWith('4') ? string.Join(' ', line.Split(' ')[..3]) : line);
        }

        return kept;
    }

    /// <summary>Begins load on a mount; what is returned waits for its end, once the mount is dead.</summary>
    private static Action Load(string root, int seed)
    {
        CrashLoad[] users = [.. Enumerable.Range(0, Users).Select(i => new CrashLoad(root, (seed * 10) + i))];
        Thread[] threads = [.. users.Select(u => new Thread(u.Run))];
        Array.ForEach(threads, static t => t.Start());
        return () =>
        {
            foreach (Thread thread in threads)
            {
                Assert.True(thread.Join(TimeSpan.FromMinutes(1)), "a user hangs though the mount is dead");
            }

            Array.ForEach(users, static u => u.Dispose());
        };
    }
}

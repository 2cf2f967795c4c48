using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>A full disk: the error that everybody knows, nothing lost, and room again after a removal.</summary>
public sealed class FullVolumeTests
{
    [Theory]
    [InlineData("mkfs.ext4 -m 0", "")]
    [InlineData("mkfs.ext4 -m 0", "oflag=direct")]
    [InlineData("mkfs.ext4 -m 0 -O ^extents,^64bit", "")]
    public void It_fills_and_recovers(string making, string flags) => MountedVolume.Use(
        making,
        v =>
        {
            v.Run("head -c 1000000 /dev/urandom > kept; sha256sum kept > ../sum; sync");
            (int code, string output) = v.TryRun($"dd if=/dev/zero of=filler bs=64k {flags} conv=fsync");
            Assert.True(code != 0 && output.Contains("No space left", StringComparison.Ordinal), output);
            v.Run("test $(stat -c %s filler) -gt 20000000; sha256sum -c ../sum");
            (code, output) = v.TryRun("for i in $(seq 1 50000); do mkdir d$i || exit 7; done 2> ../errors; exit 0");
            v.Run("rm filler; for i in $(seq 1 20); do head -c 300000 /dev/urandom > again-$i; done; sync; sha256sum again-* kept > ../sums");
            v.Remount();
            v.Run("sha256sum -c --quiet ../sums");
        },
        "48M");

    [Fact]
    public void Every_inode_is_used_and_given_back() => MountedVolume.Use(
        "mkfs.ext4 -N 256",
        v =>
        {
            (int code, string output) = v.TryRun("for i in $(seq 1 400); do : > f$i; done");
            Assert.True(code != 0 && output.Contains("No space left", StringComparison.Ordinal), output);
            v.Run("test $(stat -f -c %d .) = 0; rm f*; for i in $(seq 1 200); do : > g$i; done");
        },
        "32M");

    [Fact]
    public void A_mapping_cannot_promise_more_than_there_is() => MountedVolume.Use(
        "mkfs.ext4 -m 0",
        v =>
        {
            (int code, string output) = v.TryRun("fallocate -l 100m f");
            Assert.True(code != 0 && output.Contains("No space left", StringComparison.Ordinal), output);
            v.Run("rm -f f; fallocate -l 10m g; test $(stat -c %b g) -ge 20480");
        },
        "48M");

    /// <summary>A sparse image on a host without room: the error comes at fsync, the mount stays, and once there is room nothing is missing.</summary>
    [Fact]
    public void A_host_that_is_full_loses_nothing()
    {
        Needs.Mounts();
        using var scratch = new ScratchFolder();
        string host = scratch["host"];
        string mount = scratch["mnt"];
        string image = Path.Combine(host, "volume.img");
        Directory.CreateDirectory(host);
        Directory.CreateDirectory(mount);
        OutsideProgram.Run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", host);
        try
        {
            OutsideProgram.Run("truncate", "-s", "200m", image);
            OutsideProgram.Run("mkfs.ext4", "-q", "-F", "-J", "size=4", image);
            PenstockProgram.Run("mount", image, mount);
            (int code, string output) = Script.TryRun(mount, "head -c 40000000 /dev/urandom > ../data; cp ../data file; sync file");
            Assert.True(code != 0 && output.Contains("No space left", StringComparison.Ordinal), output);
            (code, output) = PenstockProgram.TryRun("unmount", mount);
            Assert.True(code == 1 && output.Contains("no space left", StringComparison.Ordinal), output);

            OutsideProgram.Run("mount", "-o", "remount,size=200m", host);

            // The first to sync hears of the attempt that failed while nobody was there to hear it.
            Script.Run(mount, "sync file 2> ../heard || true; sync file; cmp file ../data; : > more");
            PenstockProgram.Run("unmount", mount);
            MountedVolume.Judge(image);
            PenstockProgram.Run("mount", image, mount);
            Script.Run(mount, "cmp file ../data; test -e more");
            PenstockProgram.Run("unmount", mount);
        }
        finally
        {
            OutsideProgram.TryRun("umount", "-l", mount);
            OutsideProgram.TryRun("umount", "-l", host);
        }
    }
}

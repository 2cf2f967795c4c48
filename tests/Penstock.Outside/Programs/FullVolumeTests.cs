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
}

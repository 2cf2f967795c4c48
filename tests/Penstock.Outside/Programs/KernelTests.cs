using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>The kernel and we read what the other wrote, to the last byte and attribute.</summary>
public sealed class KernelTests
{
    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("mkfs.ext4 -b 1024")]
    [InlineData("mkfs.ext4 -b 2048 -I 128")]
    [InlineData("mkfs.ext4 -t ext2")]
    [InlineData("mkfs.ext4 -t ext3")]
    [InlineData("mkfs.ext4 -O inline_data,bigalloc -C 16384")]
    public void What_the_kernel_wrote_reads_back_the_same(string making)
    {
        Needs.LoopMounts();
        Needs.Tools("setfattr", "setfacl");
        MountedVolume.Use(making, v =>
        {
            v.Unmount();
            v.MountByKernel();
            v.Run(Tree(making));
            SortedDictionary<string, string> expected = TreeListing.Of(v.Root, isSameVolume: true);
            v.UnmountByKernel();
            v.Judge();
            v.Mount("--read-only");
            TreeListing.AssertSame(expected, TreeListing.Of(v.Root, isSameVolume: true));
        });
    }

    [Theory]
    [InlineData("mkfs.ext4")]
    [InlineData("ours -t ext4")]
    [InlineData("mkfs.ext4 -b 1024")]
    [InlineData("mkfs.ext4 -t ext2")]
    [InlineData("mkfs.ext4 -t ext3 -I 256")]
    [InlineData("mkfs.ext4 -O inline_data")]
    public void What_we_wrote_the_kernel_reads_the_same(string making)
    {
        Needs.LoopMounts();
        Needs.Tools("setfattr", "setfacl");
        MountedVolume.Use(making, v =>
        {
            v.Run(Tree(making));

            // Blocks that have no place yet are counted without what will map them: only a volume at rest can be compared.
            v.Remount();
            SortedDictionary<string, string> expected = TreeListing.Of(v.Root, isSameVolume: true);
            v.Unmount();
            v.Judge();
            v.MountByKernel("loop,ro");
            TreeListing.AssertSame(expected, TreeListing.Of(v.Root, isSameVolume: true));
            v.UnmountByKernel();
            v.MountByKernel();
            v.Run("rm -rf plain/deep many/*1; echo kernel > plain/file-2; mkdir by-kernel; cp -a links by-kernel/");
            expected = TreeListing.Of(v.Root, isSameVolume: true);
            v.UnmountByKernel();
            v.Mount();
            TreeListing.AssertSame(expected, TreeListing.Of(v.Root, isSameVolume: true));
        });
    }

    [Fact]
    public void A_volume_mounted_and_left_alone_stays_as_it_was()
    {
        Assert.SkipWhen(MountedVolume.IsKernel, "about our own mount");
        MountedVolume.Use("mkfs.ext4", v =>
        {
            v.Run("echo x > f; mkdir d");
            v.Unmount();
            string before = Script.Run("/", $"sha256sum '{v.Image}'");
            v.Mount("--read-only");
            v.Run("cat f; ls -lR > /dev/null; refused touch g");
            v.Unmount();
            Assert.Equal(before, Script.Run("/", $"sha256sum '{v.Image}'"));
            v.Mount();
            v.Unmount();
            Assert.Equal(before, Script.Run("/", $"sha256sum '{v.Image}'"));
            v.Mount();
        });
    }

    [Fact]
    public void A_volume_in_use_is_refused() => MountedVolume.Use("mkfs.ext4", v =>
    {
        Assert.SkipWhen(MountedVolume.IsKernel, "about our own mount");
        Directory.CreateDirectory(v.Aside("second"));
        (int code, string output) = PenstockProgram.TryRun("mount", v.Image, v.Aside("second"));
        Assert.True(code == 1, output);
        v.Unmount();
        v.MountByKernel();
        (code, output) = PenstockProgram.TryRun("mount", v.Image, v.Aside("second"));
        Assert.True(code == 1, output);
        v.UnmountByKernel();
        v.Mount();
    });

    /// <summary>Times of 128-byte inodes are whole seconds before 2038.</summary>
    private static string Tree(string making) => making.Contains("128", StringComparison.Ordinal) || making.Contains("ext2", StringComparison.Ordinal)
        ? SampleTree.Script.Replace("2100-01", "2030-01", StringComparison.Ordinal)
        : SampleTree.Script;
}

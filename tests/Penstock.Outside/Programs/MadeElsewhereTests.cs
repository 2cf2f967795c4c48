using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>Volumes filled by debugfs and by mke2fs -d, which go their own ways.</summary>
public sealed class MadeElsewhereTests
{
    [Theory]
    [InlineData("-b 1024")]
    [InlineData("-b 4096 -O ^extents,^64bit")]
    [InlineData("-b 4096 -O ea_inode,large_dir")]
    public void A_volume_that_mke2fs_filled_is_the_folder_it_was_filled_from(string options)
    {
        Needs.Tools("setfattr", "setfacl");
        MountedVolume.Use("mkfs.ext4", v =>
        {
            string source = v.Aside("source");
            Directory.CreateDirectory(source);
            Script.Run(source, SampleTree.Script.Replace("2100-01", "2030-01", StringComparison.Ordinal));
            v.Unmount();
            OutsideProgram.Run("mkfs.ext4", ["-q", "-F", .. options.Split(' '), "-d", source, v.Image]);
            v.Mount("--read-only");
            TreeListing.AssertSame(WithoutBorders(TreeListing.Of(source)), WithoutBorders(TreeListing.Of(v.Root)));
        });
    }

    [Fact]
    public void What_debugfs_wrote_is_read_and_written_on()
    {
        Needs.Tools("debugfs");
        MountedVolume.Use("mkfs.ext4", v =>
        {
            v.Unmount();
            Script.Run(v.Aside("."), $"""
                head -c 500000 /dev/urandom > blob
                debugfs -w -f - '{v.Image}' <<'D' > /dev/null 2>&1
                mkdir made
                cd made
                write blob blob
                symlink link blob
                mknod pipe p
                ea_set blob user.note hello
                set_inode_field blob mtime 20200102030405
                D
                """);
            OutsideProgram.TryRun("e2fsck", "-fy", v.Image);
            v.Mount();
            v.Run("cmp made/blob ../blob; test $(readlink made/link) = blob; test -p made/pipe; getfattr --only-values -n user.note made/blob | grep -q hello");
            v.Run("test $(stat -c %Y made/blob) = $(date -u -d '2020-01-02 03:04:05' +%s); echo more >> made/blob; mv made/link made/other; rm made/pipe; mkdir made/deeper");
        });
    }

    /// <summary>mke2fs -d keeps no nanoseconds of folders' times nor, in this version, the times of what it makes last.</summary>
    private static SortedDictionary<string, string> WithoutBorders(SortedDictionary<string, string> tree)
    {
        var kept = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, string line) in tree)
        {
            if (name != ".")
            {
                kept[name] = System.Text.RegularExpressions.Regex.Replace(line, @"(\d{6,})\.\d{9}", "$1");
            }
        }

        return kept;
    }
}

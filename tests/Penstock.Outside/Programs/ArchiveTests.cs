using Penstock.Outside.Volumes;
using Xunit;

namespace Penstock.Outside.Programs;

/// <summary>A tree goes to the mount and back, and is the same with everything that hangs on it.</summary>
public sealed class ArchiveTests
{
    [Theory]
    [InlineData("ours -t ext4")]
    [InlineData("mkfs.ext4 -b 1024")]
    [InlineData("mkfs.ext4 -t ext2")]
    public void Tar_there_and_back(string making) => ThereAndBack(
        making,
        "tar -C \"$1\" --xattrs --xattrs-include='*' --acls --numeric-owner -S -cf - . | tar -C \"$2\" --xattrs --xattrs-include='*' --acls --numeric-owner -S -xpf -");

    [Theory]
    [InlineData("ours -t ext4")]
    [InlineData("mkfs.ext4 -O inline_data,ea_inode -I 512")]
    public void Rsync_there_and_back(string making)
    {
        Needs.Tools("rsync");
        ThereAndBack(making, "rsync -aHAXS --numeric-ids --modify-window=-1 \"$1/\" \"$2/\"");
    }

    private static void ThereAndBack(string making, string copy)
    {
        Needs.Tools("setfattr", "setfacl", "tar");
        MountedVolume.Use(making, v =>
        {
            string source = v.Aside("source");
            string back = v.Aside("back");
            Directory.CreateDirectory(source);
            Directory.CreateDirectory(back);
            Script.Run(source, IsExt2(making) ? SampleTree.Script.Replace("2100-01", "2030-01", StringComparison.Ordinal) : SampleTree.Script);

            // rsync leaves the time of what is no regular file alone where the seconds agree, and so would keep the nanoseconds of the copy.
            Script.Run(source, "find . -depth ! -type f -mmin -10 -exec touch -h -d '2024-05-06 07:08:09.123456789' {} +");
            SortedDictionary<string, string> expected = TreeListing.Of(source);
            v.Run($"mkdir tree; copy() {{ {copy}; }}; copy '{source}' tree", 200);
            TreeListing.AssertSame(expected, TreeListing.Of(Path.Combine(v.Root, "tree")));
            v.Remount();
            TreeListing.AssertSame(expected, TreeListing.Of(Path.Combine(v.Root, "tree")));
            v.Run($"copy() {{ {copy}; }}; copy tree '{back}'", 200);
            TreeListing.AssertSame(expected, TreeListing.Of(back));
            v.Run("rm -rf tree; test -z \"$(ls | grep -v lost+found)\"");
        });
    }

    private static bool IsExt2(string making) => making.Contains("ext2", StringComparison.Ordinal);
}

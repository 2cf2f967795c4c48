using Xunit;

namespace Penstock.Outside.Cli;

public sealed class CopyTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    private string Image => _scratch["disk.img"];

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("ext4")]
    [InlineData("ext3")]
    [InlineData("ext2")]
    public void A_tree_goes_there_and_back_with_all_that_belongs_to_it(string type)
    {
        SampleTree.Make(_scratch["source"]);
        PenstockProgram.Run("mkfs", "-q", "-t", type, "-I", "256", Image, "64M");
        PenstockProgram.Run("cp", "-a", _scratch["source"], $"{Image}:/copy");
        OutsideProgram.Run("e2fsck", "-fn", Image);
        PenstockProgram.Run("cp", "-a", $"{Image}:/copy", _scratch["back"]);
        Assert.Equal(SampleTree.Describe(_scratch["source"]), SampleTree.Describe(_scratch["back"]));

    }

    [Fact]
    public void A_volume_is_filled_from_a_folder_or_a_tar_file()
    {
        SampleTree.Make(_scratch["source"]);
        OutsideProgram.Run("tar", "-C", _scratch["source"], "--xattrs", "--format=pax", "-czf", _scratch["source.tgz"], ".");
        foreach (string from in (string[])["source", "source.tgz"])
        {
            string image = _scratch[$"{from}.img"];
            PenstockProgram.Run("mkfs", "-q", "-d", _scratch[from], image, "64M");
            OutsideProgram.Run("e2fsck", "-fn", image);
            string back = _scratch[$"{from}.back"];
            PenstockProgram.Run("cp", "-a", $"{image}:/", back);
            Assert.Equal(SampleTree.Describe(_scratch["source"]), SampleTree.Describe(back));
        }
    }

    [Fact]
    public void What_others_wrote_is_read()
    {
        SampleTree.Make(_scratch["source"]);
        _scratch.MakeImage("disk.img", 64 << 20);
        OutsideProgram.Run("mkfs.ext4", "-q", "-d", _scratch["source"], Image);
        PenstockProgram.Run("cp", "-a", $"{Image}:/", _scratch["back"]);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(_scratch["source"], "sub", "random")), File.ReadAllBytes(Path.Combine(_scratch["back"], "sub", "random")));
        Assert.Equal("hello\n", PenstockProgram.Run("cat", $"{Image}:/text"));
        Assert.Contains("sparse", PenstockProgram.Run("ls", $"{Image}:/"));
        Assert.Contains("└── ", PenstockProgram.Run("tree", Image));
    }

    [Fact]
    public void Names_are_made_moved_linked_and_removed()
    {
        PenstockProgram.Run("mkfs", "-q", Image, "16M");
        PenstockProgram.Run("mkdir", "-p", $"{Image}:/a/b/c");
        File.WriteAllText(_scratch["text"], "hello");
        PenstockProgram.Run("cp", _scratch["text"], $"{Image}:/a/");
        PenstockProgram.Run("mv", $"{Image}:/a/text", $"{Image}:/a/b");
        PenstockProgram.Run("ln", $"{Image}:/a/b/text", $"{Image}:/hard");
        PenstockProgram.Run("ln", "-s", "a/b/text", $"{Image}:/soft");
        Assert.Equal("hello", PenstockProgram.Run("cat", $"{Image}:/soft"));
        Assert.Contains("Links: 2", PenstockProgram.Run("stat", $"{Image}:/hard"));
        Assert.Contains("is a directory", PenstockProgram.Fail("rm", $"{Image}:/a"));
        PenstockProgram.Run("rm", "-r", $"{Image}:/a", $"{Image}:/soft");
        Assert.Equal("hard\nlost+found\n", PenstockProgram.Run("ls", $"{Image}:/"));
        Assert.Contains("no such file", PenstockProgram.Fail("cat", $"{Image}:/soft"));
        OutsideProgram.Run("e2fsck", "-fn", Image);
    }

    [Fact]
    public void Looking_at_a_volume_leaves_every_byte_as_it_was()
    {
        PenstockProgram.Run("mkfs", "-q", Image, "16M");
        byte[] before = File.ReadAllBytes(Image);
        PenstockProgram.Run("ls", "-lR", $"{Image}:/");
        PenstockProgram.Run("df", Image);
        PenstockProgram.Run("info", Image);
        PenstockProgram.Run("tree", Image);
        Assert.Equal(before, File.ReadAllBytes(Image));
        File.SetUnixFileMode(Image, UnixFileMode.UserRead);
        PenstockProgram.Run("ls", $"{Image}:/");
    }

    [Fact]
    public void A_full_volume_says_so_and_stays_whole()
    {
        PenstockProgram.Run("mkfs", "-q", Image, "4M");
        _scratch.MakeImage("large", 0);
        File.WriteAllBytes(_scratch["large"], Enumerable.Repeat((byte)7, 8 << 20).ToArray());
        Assert.Contains("no space left", PenstockProgram.Fail("cp", _scratch["large"], $"{Image}:/large"));
        OutsideProgram.Run("e2fsck", "-fn", Image);
    }
}

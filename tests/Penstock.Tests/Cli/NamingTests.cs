using Penstock.Cli;
using Penstock.Cli.Host;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;
using Penstock.Files;
using Xunit;

namespace Penstock.Tests.Cli;

public sealed class NamingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("penstock-cli").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("4096", 4096)]
    [InlineData("64K", 64 << 10)]
    [InlineData("1.5M", 3 << 19)]
    [InlineData("1G", 1L << 30)]
    [InlineData("1GiB", 1L << 30)]
    [InlineData("10MB", 10_000_000)]
    [InlineData("15T", 15L << 40)]
    [InlineData("7B", 7)]
    public void Sizes_are_read(string text, long bytes) => Assert.Equal(bytes, ByteSize.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("-1")]
    [InlineData("0")]
    [InlineData("1X")]
    [InlineData("1GG")]
    [InlineData("1e3")]
    [InlineData("99999999P")]
    public void What_is_no_size_is_refused(string text) => Assert.Throws<UsageException>(() => ByteSize.Parse(text));

    [Theory]
    [InlineData("disk.img:/etc/hosts", "disk.img", "/etc/hosts")]
    [InlineData("disk.img#2:/", "disk.img#2", "/")]
    [InlineData("mem:1G:/x", "mem:1G", "/x")]
    [InlineData("a:b:/x", "a:b", "/x")]
    [InlineData("disk.img:", "disk.img", "/")]
    [InlineData("a:/b:/c", "a", "/b:/c")]
    public void Paths_in_volumes_are_read(string text, string volume, string path)
    {
        Assert.True(VolumePath.TryParse(text, out VolumePath parsed));
        Assert.Equal((volume, path), (parsed.Volume, parsed.Path));
    }

    [Theory]
    [InlineData("disk.img")]
    [InlineData("/etc/hosts")]
    [InlineData(":/x")]
    [InlineData("mem:1G")]
    public void What_is_no_path_in_a_volume_is_told_apart(string text) => Assert.False(VolumePath.TryParse(text, out _));

    [Fact]
    public void Of_several_readings_the_volume_that_exists_counts()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "a:")).FullName;
        string image = Path.Combine(folder, "disk");
        File.WriteAllText(image, string.Empty);
        Assert.True(VolumePath.TryParse($"{image}:/x", out VolumePath parsed));
        Assert.Equal((image, "/x"), (parsed.Volume, parsed.Path));
    }

    [Theory]
    [InlineData("/", "")]
    [InlineData("/a", "a")]
    [InlineData("/a/b/", "b")]
    public void The_last_name_of_a_path(string path, string name) => Assert.Equal(name, new VolumePath("v", path).Name);

    [Fact]
    public void The_name_of_a_mounted_directory_has_no_links_in_it_and_the_directory_is_not_asked()
    {
        string real = Directory.CreateDirectory(Path.Combine(_folder, "real")).FullName;
        File.CreateSymbolicLink(Path.Combine(_folder, "link"), "real");
        File.CreateSymbolicLink(Path.Combine(_folder, "again"), Path.Combine(_folder, "link"));
        Assert.Equal(Path.Combine(real, "mnt"), FullPath.Of(Path.Combine(_folder, "again", "mnt/")));
    }

    [Fact]
    public void The_mount_table_is_read_with_its_escapes()
    {
        MountEntry? entry = MountTable.Parse(
            @"36 35 0:42 / /mnt/a\040b rw,nosuid shared:1 - fuse.penstock /disk\040one.img rw,user_id=1000,group_id=100");
        Assert.Equal(new MountEntry("/mnt/a b", "fuse.penstock", "/disk one.img", 1000), entry);
        Assert.Null(MountTable.Parse("nonsense"));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(8, 1)]
    [InlineData(259, 300_000)]
    [InlineData(70_000, 255)]
    public void Device_numbers_go_both_ways(uint major, uint minor) =>
        Assert.Equal((major, minor), DeviceNumbers.Split(DeviceNumbers.Join(major, minor)));

    [Fact]
    public void Device_numbers_are_as_the_host_encodes_them()
    {
        Assert.Equal(0x801UL, DeviceNumbers.Join(8, 1));
        Assert.Equal(0x1_0001_032CUL, DeviceNumbers.Join(0x103, 0x10_002C));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1023, "1023")]
    [InlineData(1024, "1.0K")]
    [InlineData(1536, "1.5K")]
    [InlineData(1537, "1.6K")]
    [InlineData(10 << 20, "10M")]
    [InlineData(15L << 40, "15T")]
    public void Sizes_are_shown_as_coreutils_do(long bytes, string text) => Assert.Equal(text, ByteCount.Describe(bytes));

    [Theory]
    [InlineData(FileKind.Regular, 0x1A4, "-rw-r--r--")]
    [InlineData(FileKind.Directory, 0x3FF, "drwxrwxrwt")]
    [InlineData(FileKind.Regular, 0x9ED, "-rwsr-xr-x")]
    [InlineData(FileKind.Regular, 0xC00, "---S--S---")]
    public void Permissions_are_shown_as_ls_does(FileKind kind, int mode, string text) =>
        Assert.Equal(text, ModeText.Describe(kind, (UnixFileMode)mode));

    [Fact]
    public void Times_keep_their_nanoseconds() =>
        Assert.Equal("2040-01-02T03:04:05.000000006Z", TimeText.Iso(new Timestamp(2209086245, 6)));
}

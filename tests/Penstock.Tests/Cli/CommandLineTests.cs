using Xunit;

namespace Penstock.Tests.Cli;

public sealed class CommandLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("penstock-cli").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("a command is needed")]
    [InlineData("'frobnicate' is not understood", "frobnicate")]
    [InlineData("option '--frobnicate' is not known", "ls", "--frobnicate", "disk.img:/")]
    [InlineData("option '-x' is not known", "ls", "-x", "disk.img:/")]
    [InlineData("missing", "ls")]
    [InlineData("missing", "mount", "disk.img")]
    [InlineData("'surplus' is not understood", "info", "disk.img", "surplus")]
    [InlineData("'nonsense' is no size", "mkfs", "disk.img", "nonsense")]
    [InlineData("'xfs' cannot be made", "mkfs", "-t", "xfs", "disk.img", "1G")]
    [InlineData("'3000' is no block size", "mkfs", "-b", "3000", "disk.img", "1G")]
    [InlineData("'x' is no UUID", "mkfs", "-U", "x", "disk.img", "1G")]
    [InlineData("names no file in a volume", "cat", "disk.img")]
    [InlineData("no volume is named", "cp", "a", "b")]
    [InlineData("two volumes", "mv", "a.img:/x", "b.img:/x")]
    [InlineData("stays in its volume", "ln", "a.img:/x", "b.img:/x")]
    [InlineData("write them in octal", "mkdir", "-m", "u+x", "a.img:/x")]
    [InlineData("exclude each other", "mount", "--create", "1G", "--read-only", "a.img", "mnt")]
    public async Task Wrong_usage_is_exit_code_2_and_one_line(string what, params string[] arguments)
    {
        CommandRun run = await CommandRun.OfAsync(arguments);
        Assert.Equal(2, run.ExitCode);
        Assert.Empty(run.Output);
        Assert.Contains(what, run.Error);
        Assert.StartsWith("penstock", run.Error);
        Assert.Equal(run.Error.Length - 1, run.Error.IndexOf('\n'));
    }

    [Theory]
    [InlineData("no such file", "ls", "absent.img:/")]
    [InlineData("no such file", "info", "absent.img")]
    [InlineData("does not exist", "mkfs", "absent.img")]
    [InlineData("no such file", "cat", "absent.img:/x")]
    [InlineData("is a directory", "info", ".")]
    public async Task What_fails_says_what_and_where_in_one_line(string what, string command, string name)
    {
        CommandRun run = await CommandRun.OfAsync(command, Path.Combine(_folder, name));
        Assert.Equal(command == "mkfs" ? 2 : 1, run.ExitCode);
        Assert.Empty(run.Output);
        Assert.Contains(what, run.Error);
        Assert.Contains(_folder, run.Error);
        Assert.StartsWith($"penstock {command}: ", run.Error);
        Assert.Equal(run.Error.Length - 1, run.Error.IndexOf('\n'));
    }

    [Fact]
    public async Task Version_and_help_go_to_standard_output()
    {
        CommandRun version = await CommandRun.OfAsync("--version");
        Assert.Equal(0, version.ExitCode);
        Assert.Matches(@"^penstock \d+\.\d+\.\d+\n$", version.Output);

        CommandRun help = await CommandRun.OfAsync("--help");
        Assert.Equal(0, help.ExitCode);
        Assert.Contains("penstock [command]", help.Output);
        foreach (string command in (string[])
            ["mkfs", "mount", "unmount", "info", "ls", "tree", "stat", "cat", "cp", "rm", "mkdir", "mv", "ln", "df"])
        {
            Assert.Contains(command, help.Output);
            CommandRun each = await CommandRun.OfAsync(command, "--help");
            Assert.Equal(0, each.ExitCode);
            Assert.Contains($"penstock {command}", each.Output);
        }
    }

    [Fact]
    public async Task A_volume_is_made_and_described()
    {
        string image = Path.Combine(_folder, "disk.img");
        CommandRun made = await CommandRun.OfAsync("mkfs", "-L", "music", "-U", "12345678-9abc-def0-1234-56789abcdef0", image, "16M");
        Assert.Equal((0, string.Empty), (made.ExitCode, made.Error));
        Assert.Equal(16 << 20, new FileInfo(image).Length);

        CommandRun info = await CommandRun.OfAsync("info", "--json", image);
        Assert.Equal(string.Empty, info.Error);
        using var json = System.Text.Json.JsonDocument.Parse(info.Output);
        Assert.Equal("music", json.RootElement.GetProperty("label").GetString());
        Assert.Equal("12345678-9abc-def0-1234-56789abcdef0", json.RootElement.GetProperty("uuid").GetString());
        Assert.Equal("ext4", json.RootElement.GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_volume_that_cannot_be_made_leaves_no_file()
    {
        string image = Path.Combine(_folder, "disk.img");
        CommandRun made = await CommandRun.OfAsync("mkfs", "-O", "nonsense", image, "16M");
        Assert.Equal(1, made.ExitCode);
        Assert.False(File.Exists(image));
    }

    [Fact]
    public async Task Something_that_is_no_volume_is_damaged_not_a_defect()
    {
        string image = Path.Combine(_folder, "zeros.img");
        await File.WriteAllBytesAsync(image, new byte[65536]);
        CommandRun info = await CommandRun.OfAsync("info", image);
        Assert.Equal(1, info.ExitCode);
        Assert.Contains("s_magic", info.Error);
        CommandRun ls = await CommandRun.OfAsync("ls", $"{image}:/");
        Assert.Equal(1, ls.ExitCode);
        Assert.DoesNotContain("defect", ls.Error);
    }
}

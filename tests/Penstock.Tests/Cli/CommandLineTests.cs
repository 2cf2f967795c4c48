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

    [Theory]
    [InlineData("begins empty; format and use it with: penstock mount mem:64M DIR", "info", "mem:64M")]
    [InlineData("begins empty", "ls", "mem:64M:/")]
    [InlineData("not a size up to 64T, such as mem:64M", "info", "mem:huge")]
    public async Task Memory_is_not_to_be_made_by_mkfs(string what, string command, string name)
    {
        CommandRun run = await CommandRun.OfAsync(command, name);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(what, run.Error);
        Assert.DoesNotContain("mkfs", run.Error);
    }

    [Fact]
    public async Task A_partition_that_is_not_there_is_not_to_be_made_by_mkfs()
    {
        string image = Path.Combine(_folder, "disk.img");
        byte[] disk = new byte[1 << 20];
        (disk[510], disk[511], disk[446 + 4], disk[446 + 8], disk[446 + 13]) = (0x55, 0xAA, 0x83, 64, 1);
        await File.WriteAllBytesAsync(image, disk);
        CommandRun run = await CommandRun.OfAsync("info", $"{image}#9");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("there is no partition 9; the disk has the partitions 1", run.Error);
        Assert.DoesNotContain("mkfs", run.Error);
    }

    [Theory]
    [InlineData("info", "--json")]
    [InlineData("info")]
    [InlineData("ls", "--json")]
    [InlineData("ls")]
    public async Task When_the_reader_has_gone_it_ends_quietly_as_by_a_signal(string command, params string[] options)
    {
        string image = Path.Combine(_folder, "disk.img");
        Assert.Equal(0, (await CommandRun.OfAsync("mkfs", image, "16M")).ExitCode);
        CommandRun run = await CommandRun.OfAsync(new ClosedPipe(), [command, .. options, command == "ls" ? $"{image}:/" : image]);
        Assert.Equal((141, string.Empty), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task Why_a_volume_can_only_be_read_is_said()
    {
        // Without checksums, so that one byte can be changed.
        string image = Path.Combine(_folder, "disk.img");
        Assert.Equal(0, (await CommandRun.OfAsync("mkfs", "-O", "^metadata_csum", image, "16M")).ExitCode);
        Assert.DoesNotContain("Read-only", (await CommandRun.OfAsync("info", image)).Output);
        using (FileStream file = File.OpenWrite(image))
        {
            file.Position = 1024 + 0x3A; // s_state
            file.WriteByte(2);
        }

        CommandRun info = await CommandRun.OfAsync("info", image);
        Assert.Matches(@"Read-only: +errors were found on the volume; run e2fsck", info.Output);
        Assert.Contains("\"readOnly\": \"errors were found", (await CommandRun.OfAsync("info", "--json", image)).Output);
    }

    /// <summary>What standard output is when nobody reads it any more.</summary>
    private sealed class ClosedPipe : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("broken pipe", 32);

        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("broken pipe", 32);

        public override void WriteByte(byte value) => throw new IOException("broken pipe", 32);
    }
}

using Xunit;

namespace Penstock.Tests.Cli;

/// <summary>How the tester ends: 0 only if nothing was wrong, 2 with one clear line where it could not run, and nothing left behind.</summary>
public sealed class FsxCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("penstock-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_sound_volume_passes_and_a_fixed_seed_is_said()
    {
        CommandRun run = await CommandRun.OfAsync("fsx", "mem:32M:/file", "--ops", "500", "--seed", "7");
        Assert.Equal(0, run.ExitCode);
        Assert.Contains("nothing wrong", run.Output, StringComparison.Ordinal);
        Assert.Contains("seed 7", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_is_not_there_cannot_be_tested() => await RefusedAsync("fsx", Path.Combine(_folder, "absent"));

    [Fact]
    public async Task A_file_of_the_host_is_not_overwritten()
    {
        string file = Path.Combine(_folder, "precious");
        File.WriteAllText(file, "precious");
        await RefusedAsync("fsx", file);
        Assert.Equal("precious", File.ReadAllText(file));
        File.Delete(file);
    }

    [Theory]
    [InlineData("", "no log of penstock fsx")]
    [InlineData("# penstock fsx log, version 1\nwrite 0x0 0x1\njump 0x0\n", "line 3: 'jump' is no operation")]
    public async Task A_log_that_makes_no_sense_is_refused(string text, string complaint)
    {
        string log = Path.Combine(_folder, "log");
        File.WriteAllText(log, text);
        string error = await RefusedAsync("fsx", _folder, "--replay", log);
        Assert.Contains(complaint, error, StringComparison.Ordinal);
        File.Delete(log);
    }

    [Fact]
    public async Task A_log_that_is_not_there_is_refused() => await RefusedAsync("fsx", _folder, "--replay", Path.Combine(_folder, "absent"));

    [Fact]
    public async Task A_full_volume_ends_the_run()
    {
        string error = await RefusedAsync(
            "fsx", "mem:2M:/file", "--ops", "5000", "--seed", "3", "--max-length", "64M", "--max-transfer", "1M", "--no-truncate");
        Assert.Contains("no space left", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--ops", "0")]
    [InlineData("--weight", "jump=3")]
    [InlineData("--files", "65")]
    public async Task Options_out_of_range_are_refused(string option, string value) => await RefusedAsync("fsx", _folder, option, value);

    private async Task<string> RefusedAsync(params string[] arguments)
    {
        int before = Directory.GetFileSystemEntries(_folder).Length;
        CommandRun run = await CommandRun.OfAsync(arguments);
        Assert.Equal(2, run.ExitCode);
        Assert.Equal(1, run.Error.AsSpan().Count('\n'));
        Assert.Equal(before, Directory.GetFileSystemEntries(_folder).Length);
        return run.Error;
    }
}

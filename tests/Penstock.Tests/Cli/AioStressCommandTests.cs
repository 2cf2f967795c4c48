using System.Text.Json;
using Xunit;

namespace Penstock.Tests.Cli;

/// <summary>What aio-stress prints and how it ends.</summary>
public sealed class AioStressCommandTests
{
    [Fact]
    public async Task The_results_are_there_as_json()
    {
        CommandRun run = await CommandRun.OfAsync("aio-stress", "mem:64M:/file", "--size", "2M", "--request-size", "16K", "--json");
        Assert.Equal(0, run.ExitCode);
        JsonElement[] stages = [.. JsonDocument.Parse(run.Output).RootElement.GetProperty("stages").EnumerateArray()];
        Assert.Equal(["write", "read", "random-write", "random-read"], stages.Select(s => s.GetProperty("stage").GetString()));
        Assert.All(stages, s => Assert.Equal(2 << 20, s.GetProperty("bytes").GetInt64()));
        Assert.Equal(128, stages[3].GetProperty("verifiedBlocks").GetInt64());
        Assert.True(stages[0].GetProperty("latencyMicroseconds").GetProperty("p99").GetDouble() > 0);
    }

    [Fact]
    public async Task The_last_line_is_clear()
    {
        CommandRun run = await CommandRun.OfAsync("aio-stress", "mem:64M:/file", "--size", "1M", "--stage", "random-read", "--threads", "2");
        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith("aio-stress: nothing wrong: 2.0M moved, 32 blocks verified", run.Output.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mem:4M:/file", "no space left", "--size", "64M")]
    [InlineData("/absent/folder", "no such file", "--size", "1M")]
    [InlineData("mem:64M:/file", "multiple of 512", "--request-size", "1000")]
    [InlineData("mem:64M:/file", "is no stage", "--stage", "sideways")]
    public async Task What_cannot_run_says_so_in_one_line(string target, string complaint, string option, string value)
    {
        CommandRun run = await CommandRun.OfAsync("aio-stress", target, option, value);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(complaint, run.Error, StringComparison.Ordinal);
        Assert.Equal(1, run.Error.AsSpan().Count('\n'));
    }
}

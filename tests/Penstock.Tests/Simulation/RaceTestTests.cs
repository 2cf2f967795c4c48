using Penstock.Memory;
using Penstock.Simulation;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Threads;
using Xunit;

namespace Penstock.Tests.Simulation;

/// <summary>A few seeds with real threads on each device. The race test's own suite, a step of its own in the tests, runs many, and looks for mutants.</summary>
public sealed class RaceTestTests
{
    [Theory]
    [InlineData("shaken")]
    [InlineData("memory")]
    [InlineData("image")]
    public void Real_threads_break_no_rule(string device)
    {
        var test = new RaceTest(RaceOptions.Parse(["--operations", "1500", "--device", device]));
        test.Run();
        Assert.True(test.Finding is null, test.Finding);
        Assert.True(test.Operations >= 1500);
    }

    [Fact]
    public void The_judge_takes_what_either_order_leaves_and_nothing_else()
    {
        // Two writes in flight together may come in either order, byte by byte; what came before both is gone once they have ended.
        long size = 0;
        var judge = new FileJudge(0, () => size);
        WriteRecord before = judge.BeginWrite(1, 0, 64, isAppend: false);
        size = 64;
        Assert.Null(judge.EndWrite(before, 64, mayHaveExtended: false));
        WriteRecord first = judge.BeginWrite(2, 0, 64, isAppend: false);
        WriteRecord second = judge.BeginWrite(3, 0, 64, isAppend: false);
        Assert.Null(Read(judge, 1));
        Assert.Null(judge.EndWrite(second, 64, mayHaveExtended: false));
        Assert.Null(Read(judge, 3));
        Assert.NotNull(Read(judge, 1));
        Assert.Null(judge.EndWrite(first, 64, mayHaveExtended: false));
        Assert.Null(Read(judge, 2));
        Assert.Null(Read(judge, 3));
        Assert.NotNull(Read(judge, 4));
    }

    [Fact]
    public void A_buffer_that_is_written_after_its_owner_has_it_back_is_noticed()
    {
        var buffers = new SharedBuffers();
        Assert.Null(buffers.Rent(out IoSegment buffer));
        buffers.Return(buffer);
        buffer.Bytes[4711] = 1;
        Assert.Contains("4711", buffers.Rent(out _));
        buffers.Return(buffer);
        buffers.Free();
    }

    [Theory]
    [InlineData("--operations", "0")]
    [InlineData("--operations", "10", "--device", "disk")]
    [InlineData("--operations", "10", "--device", "3")]
    [InlineData("--operations", "10", "--scenario", "none")]
    [InlineData("--operations", "10", "--mutant", "none")]
    [InlineData("--nonsense")]
    public void A_command_line_without_sense_is_refused(params string[] arguments) =>
        Assert.Throws<UsageException>(() => RaceOptions.Parse(arguments));

    private static string? Read(FileJudge judge, long write)
    {
        var bytes = new byte[64];
        Tag.Fill(bytes, write, 0);
        return judge.EndRead(judge.BeginRead(0, 64), bytes, hasFailed: false);
    }
}

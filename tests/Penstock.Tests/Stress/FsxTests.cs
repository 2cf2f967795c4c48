using Penstock.Stress.Fsx;
using Xunit;

namespace Penstock.Tests.Stress;

/// <summary>The tester is tested: it finds each planted bug, shrinks it to a few operations, and finds nothing where nothing is.</summary>
public sealed class FsxTests
{
    private const int FewOperations = 6;

    public static TheoryData<PlantedBug> Bugs => [.. Enum.GetValues<PlantedBug>().Where(b => b != PlantedBug.None)];

    [Theory]
    [MemberData(nameof(Bugs))]
    public void A_planted_bug_is_found_and_its_log_is_shrunk_to_a_few_operations_that_show_it(PlantedBug bug)
    {
        using var folder = new FaultyFolder(bug);
        var options = new FsxOptions { Operations = 20_000, Seed = 5, MaxLength = 64 << 10, MaxTransfer = 16 << 10 };
        FsxRun run = Start(folder, options);
        FsxFinding? finding = run.Run();
        Assert.True(finding is not null, $"{bug} was not found");
        Assert.True(finding.Shrunk is not null, FsxReport.Describe(finding.Found, finding.Log));
        Assert.InRange(finding.Shrunk.Value.Operations.Count, 1, FewOperations);
        Assert.Empty(folder.FileNames);

        FsxLog read = WriteAndRead(new FsxLog(options, finding.Shrunk.Value.Operations));
        Assert.Equal(finding.Shrunk.Value.Operations, read.Operations);
        Assert.NotNull(run.Replay(read));

        using var sound = new FaultyFolder(PlantedBug.None);
        Assert.Null(Start(sound, options).Replay(read));
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 3, 1)]
    [InlineData(3, 2, 512)]
    public void Nothing_is_found_in_files_that_are_right(ulong seed, int files, int alignment)
    {
        using var folder = new FaultyFolder(PlantedBug.None);
        var options = new FsxOptions
        {
            Operations = 4_000, Seed = seed, Files = files, Alignment = alignment, MixesModes = seed % 2 == 0, MaxLength = 64 << 10, MaxTransfer = 16 << 10,
        };
        FsxFinding? finding = Start(folder, options).Run();
        Assert.True(finding is null, finding is null ? null : FsxReport.Describe(finding.Found, finding.Log));
        Assert.Empty(folder.FileNames);
    }

    [Fact]
    public void The_same_seed_draws_the_same_operations()
    {
        using var folder = new FaultyFolder(PlantedBug.LostPage);
        var options = new FsxOptions { Operations = 5_000, Seed = 9, ShrinkTime = TimeSpan.Zero };
        IReadOnlyList<FsxOperation> first = Start(folder, options).Run()!.Log;
        Assert.Equal(first, Start(folder, options).Run()!.Log);
    }

    [Fact]
    public void A_report_names_the_bytes_and_who_wrote_them()
    {
        using var folder = new FaultyFolder(PlantedBug.LostPage);
        FsxFinding finding = Start(folder, new FsxOptions { Operations = 5_000, Seed = 9, ShrinkTime = TimeSpan.Zero }).Run()!;
        string report = FsxReport.Describe(finding.Found, finding.Log);
        Assert.Contains("must be what operation", report, StringComparison.Ordinal);
        Assert.Contains("the last operations on these bytes:", report, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wrte 0x0 0x1")]
    [InlineData("write 0x0")]
    [InlineData("write 0x0 0x1 sideways")]
    [InlineData("write 0x0 99999999999999999999")]
    [InlineData("write 0x0 0x1 file=64")]
    [InlineData("write 0x0 0x1 pieces=0")]
    public void A_line_that_is_no_operation_is_refused(string line) => Assert.Throws<FormatException>(() => FsxOperation.Parse(line));

    [Fact]
    public void Tags_tell_who_wrote_them_and_differ_in_every_run()
    {
        var tag = new ContentTag(77);
        byte[] bytes = new byte[64];
        tag.Fill(bytes, number: 1234, file: 3, offset: 0x5003);
        Assert.True(tag.TryRead(bytes.AsSpan(5, 8), 2_000, out int number, out int file, out long offset));
        Assert.Equal((1234, 3, 0x5008L), (number, file, offset));
        Assert.False(new ContentTag(78).TryRead(bytes.AsSpan(5, 8), 2_000, out _, out _, out _));
    }

    private static FsxRun Start(FaultyFolder folder, FsxOptions options)
    {
        var run = new FsxRun(folder, options, new FsxProgress(CancellationToken.None));
        run.Prepare();
        return run;
    }

    private static FsxLog WriteAndRead(FsxLog log)
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            log.Write(path, "penstock", "disk.img:/it's", "a bug");
            return FsxLog.Read(path, new FsxOptions());
        }
        finally
        {
            File.Delete(path);
        }
    }
}

using Penstock.Devices;
using Penstock.Ext4;
using Penstock.Ext4.Checking;
using Penstock.Ext4.Format;
using Penstock.Ext4.Recovery;
using Penstock.Journal.Format;
using Penstock.Mapping;
using Penstock.Testing.Journal;
using Xunit;

namespace Penstock.Tests.Ext4.Recovery;

/// <content>Fast commits behind the log.</content>
public sealed partial class VolumeRecoveryTests
{
    private const uint Logged = 12;
    private const uint Made = 13;
    private const uint MadeDirectory = 14;
    private const uint Data = 15_000;
    private static readonly RecoverySummary s_recovered = new(1, 0, 0, false) { FastCommitCount = 2 };

    [Fact]
    public void Fast_commits_are_applied() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithFastCommitsAsync(Compose(7));
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
        {
            Assert.Null(fileSystem.ReadOnlyReason);
            Assert.Equal(s_recovered, fileSystem.Recovery! with { BlockCount = 0 });
            await AssertAppliedAsync(fileSystem);
        }

        Assert.Empty(await CheckAsync());
        (JournalSuperblock journal, _) = await OpenJournalAsync(area => (area.Superblock, 0));
        Assert.Equal((0u, 9u), (journal.Start, journal.Sequence));
        await using Ext4FileSystem again = await fixture.OpenAsync();
        Assert.Null(again.Recovery);
        await AssertAppliedAsync(again);
    });

    [Fact]
    public void Opened_read_only_they_are_laid_over_and_nothing_written() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithFastCommitsAsync(Compose(7));
        byte[] before = fixture.Device.Peek(0, (int)fixture.Device.Length);
        await using (Ext4FileSystem fileSystem = await fixture.OpenAsync(isReadOnly: true))
        {
            Assert.Equal((2, true), (fileSystem.Recovery!.FastCommitCount, fileSystem.Recovery.IsOverlaid));
            await AssertAppliedAsync(fileSystem);
        }

        Assert.Equal(before, fixture.Device.Peek(0, before.Length));
    });

    [Fact]
    public void A_recovery_of_fast_commits_cut_off_at_any_write_begins_anew() => fixture.Scheduler.Run(async () =>
    {
        await MakeWithFastCommitsAsync(Compose(7));
        byte[] before = fixture.Device.Peek(0, (int)fixture.Device.Length);
        bool isCut = true;
        for (int cut = 0; isCut; cut++)
        {
            fixture.Device.Poke(0, before);
            int writes = 0;
            fixture.Device.FaultRule = o => o.Operation is DeviceOperation.Read or DeviceOperation.Flush || writes++ < cut
                ? null
                : IoResult.Failed(IoFault.DeviceFailed);
            isCut = false;
            try
            {
                await using Ext4FileSystem cutOff = await fixture.OpenAsync();
            }
            catch (DeviceException)
            {
                isCut = true;
            }

            fixture.Device.FaultRule = null;
            await using (Ext4FileSystem fileSystem = await fixture.OpenAsync())
            {
                Assert.Null(fileSystem.ReadOnlyReason);
                await AssertAppliedAsync(fileSystem);
            }

            Assert.Empty(await CheckAsync());
            Assert.InRange(cut, 0, 60);
        }
    });

    [Theory]
    [InlineData(6u, 7u, 0)]
    [InlineData(7u, 6u, 0)]
    [InlineData(7u, 7u, 30)]
    public void Fast_commits_that_do_not_count_are_passed_over(uint head, uint tail, int damaged) => fixture.Scheduler.Run(async () =>
    {
        byte[] bytes = Compose(head, tail);
        bytes[damaged] ^= (byte)(damaged == 0 ? 0 : 1);
        await MakeWithFastCommitsAsync(bytes);
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Null(fileSystem.ReadOnlyReason);
        Assert.Equal(0, fileSystem.Recovery!.FastCommitCount);
        Assert.True(await HasNameAsync(fileSystem, "logged"));
        Assert.False(await HasNameAsync(fileSystem, "fast"));
    });

    [Fact]
    public void The_first_fast_commit_that_is_torn_ends_them() => fixture.Scheduler.Run(async () =>
    {
        byte[] bytes = Compose(7);
        bytes[1024 + 5] ^= 1;
        await MakeWithFastCommitsAsync(bytes);
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Equal(1, fileSystem.Recovery!.FastCommitCount);
        Assert.True(await HasNameAsync(fileSystem, "fast"));
        Assert.False(await HasNameAsync(fileSystem, "folder"));
    });

    [Theory]
    [InlineData("features")]
    [InlineData("inode")]
    [InlineData("place")]
    public void Fast_commits_that_do_not_fit_keep_the_volume_from_being_written(string what) => fixture.Scheduler.Run(async () =>
    {
        var odd = new FastCommitComposer(1024, 64);
        odd.Head(7, what == "features" ? 1u : 0);
        _ = what == "inode" ? odd.Name(FastCommitTagType.Link, 2, 99_999, "odd") : odd.AddRange(Logged, new ExtentLeaf(0, 1, false, new VolumeBlock(20)));
        odd.Tail(7);
        await MakeWithFastCommitsAsync(odd.Bytes);
        byte[] before = fixture.Device.Peek(0, (int)fixture.Device.Length);
        await using Ext4FileSystem fileSystem = await fixture.OpenAsync();
        Assert.Contains(what == "features" ? "features that are not known" : "its fast commits cannot be applied", fileSystem.ReadOnlyReason, StringComparison.Ordinal);
        Assert.True(await HasNameAsync(fileSystem, "logged"));
        Assert.Equal(before, fixture.Device.Peek(0, before.Length));
    });

    /// <summary>Two fast commits: "logged" becomes "fast", "made" comes with a block of data; then "folder" with a name in it.</summary>
    private static byte[] Compose(uint head, uint? tail = null)
    {
        var composer = new FastCommitComposer(1024, 64);
        InodeRecord file = Record(0x81A4, 1, size: 1000);
        InodeRecord folder = Record(0x41ED, 2, size: 1024);
        composer.Head(head);
        composer.Inode(Made, file.Bytes[..160]).Name(FastCommitTagType.Create, 2, Made, "made").AddRange(Made, new ExtentLeaf(0, 1, false, new VolumeBlock(Data)));
        composer.Name(FastCommitTagType.Unlink, 2, Logged, "logged").Name(FastCommitTagType.Link, 2, Logged, "fast");
        composer.Inode(Made, file.Bytes[..160]).Tail(tail ?? head);
        composer.Inode(MadeDirectory, folder.Bytes[..160]).Name(FastCommitTagType.Create, 2, MadeDirectory, "folder");
        composer.Name(FastCommitTagType.Link, MadeDirectory, Made, "again");
        file.LinkCount = 2;
        return composer.Inode(Made, file.Bytes[..160]).Inode(MadeDirectory, folder.Bytes[..160]).Tail(tail ?? head).Bytes;
    }

    private static InodeRecord Record(ushort mode, ushort links, ulong size)
    {
        InodeRecord record = InodeRecord.Create(256);
        (record.Mode, record.LinkCount, record.Size, record.Flags, record.Generation) = (mode, links, size, InodeFlags.Extents, mode);
        return record;
    }

    private async Task AssertAppliedAsync(Ext4FileSystem fileSystem)
    {
        Assert.False(await HasNameAsync(fileSystem, "logged"));
        Assert.True(await HasNameAsync(fileSystem, "fast"));
        Assert.True(await HasNameAsync(fileSystem, "folder"));
        var made = (Ext4Inode)await fileSystem.Inodes.GetAsync(new InodeNumber(Made));
        BlockRun run = await made.Mapper!.MapAsync(default, 1);
        Assert.Equal((new VolumeBlock(Data), MapState.Mapped, 1000L, 2u), (run.Volume, run.State, made.Size, made.Attributes.Links));
        var folder = (Ext4Inode)await fileSystem.Inodes.GetAsync(new InodeNumber(MadeDirectory));
        Assert.Equal(made.Number, await folder.Directory.LookupAsync(NamesFixture.Name("again")));
        Assert.Equal(new InodeNumber(2), await folder.Directory.GetParentAsync());
        await fileSystem.Inodes.ReleaseAsync(made);
        await fileSystem.Inodes.ReleaseAsync(folder);
    }

    private async Task MakeWithFastCommitsAsync(byte[] blocks)
    {
        await MakeWithLogAsync(isFlagged: true, journal =>
        {
            journal.Features |= JournalFeatures.FastCommit;
            journal.FastCommitBlocks = 64;
        });
        Patch(s => s.Features = s.Features.With(CompatFeatures.FastCommit));
        await OpenJournalAsync(area =>
        {
            for (int i = 0; i < (int)(area.Geometry.FastCommitEnd - area.Geometry.FastCommitFirst); i++)
            {
                fixture.Device.Poke(area.OffsetOf(area.Geometry.FastCommitFirst + (uint)i, out _), blocks[(i * 1024)..((i + 1) * 1024)]);
            }

            return (0, 0);
        });
    }

    private async Task<IReadOnlyList<string>> CheckAsync() =>
        [.. (await VolumeChecker.RunAsync(fixture.Device, CheckOptions.Default, default)).Problems.Select(p => p.ToString())];
}

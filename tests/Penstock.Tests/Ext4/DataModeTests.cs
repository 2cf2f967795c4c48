using Penstock.Caching;
using Penstock.Execution;
using Penstock.Ext4;
using Penstock.Ext4.Format;
using Penstock.Ext4.Making;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Ext4;

/// <summary>What the journal does for data: as the superblock says, or as whoever opens the volume does.</summary>
public sealed class DataModeTests
{
    private const int MaxPages = 512 << 10;
    private const long VolumeLength = 32 << 20;

    private readonly ManualScheduler scheduler = new(1);

    [Theory]
    [InlineData(0u, null, DataMode.Ordered)]
    [InlineData(0x20u, null, DataMode.Journal)]
    [InlineData(0x40u, null, DataMode.Ordered)]
    [InlineData(0x60u, null, DataMode.Writeback)]
    [InlineData(0x20u, DataMode.Ordered, DataMode.Ordered)]
    [InlineData(0x60u, DataMode.Journal, DataMode.Journal)]
    public void The_volume_or_who_opens_it_says_which(uint said, DataMode? asked, DataMode expected) => scheduler.Run(async () =>
    {
        SimulatedDevice device = await MakeAsync(new MakingOptions());
        await using (Volume volume = await OpenAsync(device))
        {
            await volume.Ext4().ChangeAsync(1, handle => volume.Ext4().ChangeSuperblockAsync(handle, s => s.DefaultMountOptions = (s.DefaultMountOptions & ~0x60u) | said));
        }

        await using Volume again = await OpenAsync(device.AfterPowerLoss(scheduler), asked);
        Assert.Equal(expected, again.Ext4().DataMode);
        await using OpenFile file = await again.OpenFileAsync("/f", FileMode.CreateNew, FileAccess.ReadWrite);
        Assert.Equal(expected == DataMode.Journal, file.Inode.JournalsData);
        Assert.Equal(expected != DataMode.Journal, file.Inode.AllowsDirectIo);
    });

    [Fact]
    public void Without_a_journal_there_is_no_choice() => scheduler.Run(async () =>
    {
        SimulatedDevice device = await MakeAsync(new MakingOptions { Features = "^has_journal" });
        var refused = await Assert.ThrowsAsync<FileSystemException>(async () => await OpenAsync(device, DataMode.Journal));
        Assert.Equal(IoFault.InvalidArgument, refused.Fault);
    });

    /// <summary>Far more than the page cache and the log hold, so that what is read comes from the log's cache, from its place, and from pages.</summary>
    [Theory]
    [InlineData(VolumeKind.Ext4, 4096)]
    [InlineData(VolumeKind.Ext4, 1024)]
    [InlineData(VolumeKind.Ext3, 1024)]
    public void What_was_written_is_read_wherever_it_is(VolumeKind kind, int blockSize) => scheduler.Run(async () =>
    {
        const int Length = 6 << 20;
        byte[] expected = new byte[Length];
        var random = new Random(blockSize);
        SimulatedDevice device = await MakeAsync(new MakingOptions { Kind = kind, BlockSize = blockSize });
        await using (Volume volume = await OpenAsync(device, DataMode.Journal))
        await using (OpenFile file = await volume.OpenFileAsync("/f", FileMode.CreateNew, FileAccess.ReadWrite))
        {
            await file.SetLengthAsync(Length);
            if (kind == VolumeKind.Ext4)
            {
                await file.ChangeRangeAsync(FileRangeChange.Allocate, 100_000, 1_000_000);
            }

            for (int i = 0; i < 700; i++)
            {
                int at = random.Next(Length - 40_000);
                int count = random.Next(1, 40_000);
                if (i % 8 == 0)
                {
                    await file.ChangeRangeAsync(FileRangeChange.PunchHole, at, count);
                    expected.AsSpan(at, count).Clear();
                }
                else
                {
                    random.NextBytes(expected.AsSpan(at, count));
                    await file.WriteAsync(expected.AsMemory(at, count), at);
                }

                int from = random.Next(Length - 60_000);
                byte[] found = new byte[60_000];
                await file.ReadAsync(found, from);
                Assert.True(expected.AsSpan(from, found.Length).SequenceEqual(found), $"step {i}, at {from}");
            }

            await file.FlushAsync();
        }

        await using Volume again = await OpenAsync(device.AfterPowerLoss(scheduler));
        Assert.Equal(expected, await ReadAllAsync(again, Length));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_overwrite_is_in_the_log_before_it_is_in_its_place(bool isLogged) => scheduler.Run(async () =>
    {
        const int BlockSize = 4096;
        SimulatedDevice device = await MakeAsync(new MakingOptions { BlockSize = BlockSize });
        byte[] old = Enumerable.Repeat((byte)0x11, BlockSize).ToArray();
        byte[] fresh = Enumerable.Repeat((byte)0x22, BlockSize).ToArray();
        await using (Volume volume = await OpenAsync(device))
        await using (OpenFile file = await volume.OpenFileAsync("/f", FileMode.CreateNew, FileAccess.ReadWrite))
        {
            await file.WriteAsync(old, 0);
        }

        SimulatedDevice second = device.AfterPowerLoss(scheduler);
        await using Volume again = await OpenAsync(second, isLogged ? DataMode.Journal : null);
        await using (OpenFile file = await again.OpenFileAsync("/f", FileMode.Open, FileAccess.ReadWrite))
        {
            BlockRun run = await file.Inode.Mapper!.MapAsync(default, 1);
            await file.WriteAsync(fresh, 0);
            await file.FlushAsync();
            Assert.Equal(isLogged ? old : fresh, second.Peek((long)run.Volume.Value * BlockSize, BlockSize));
            await again.FileSystem.Journal.SettleAsync();
            Assert.Equal(fresh, second.Peek((long)run.Volume.Value * BlockSize, BlockSize));
        }
    });

    [Theory]
    [InlineData(DataMode.Writeback, false)]
    [InlineData(DataMode.Ordered, true)]
    public void Only_an_ordered_journal_waits_for_data_of_blocks_that_cannot_be_unwritten(DataMode mode, bool waits) => scheduler.Run(async () =>
    {
        await using Volume volume = await OpenAsync(await MakeAsync(new MakingOptions { Kind = VolumeKind.Ext3 }), mode);
        Handle handle = await volume.FileSystem.Journal.BeginAsync(1);
        DataClaim? claim = handle.ClaimData();
        claim?.End(IoFault.None);
        handle.Stop();
        Assert.Equal(waits, claim!.HoldsCommit);
    });

    /// <summary>A file whose data is in the log is removed, and another, written directly, takes all the space there is: replay must not bring the old content back.</summary>
    [Theory]
    [InlineData(Rule.None, true)]
    [InlineData(Rule.FreedDataIsRevoked, false)]
    internal void Freed_data_is_not_replayed_over_who_has_its_blocks_now(Rule broken, bool isKept) => scheduler.Run(async () =>
    {
        scheduler.BrokenRule = broken;
        SimulatedDevice device = await MakeAsync(new MakingOptions());
        using var piece = new AlignedBuffer(256 << 10);
        piece.GetSpan().Fill(0x33);
        await using Volume volume = await OpenAsync(device);
        await using (OpenFile logged = await volume.OpenFileAsync("/logged", FileMode.CreateNew, FileAccess.ReadWrite))
        {
            ((Ext4Inode)logged.Inode).SetFlags(InodeFlags.JournalContents, default);
            Assert.True(logged.Inode.JournalsData);
            await logged.WriteAsync(new byte[200_000], 0);
            await logged.FlushAsync();
        }

        await volume.DeleteFileAsync("/logged");
        await volume.FlushAsync();
        await using OpenFile file = await volume.OpenFileAsync("/f", FileMode.CreateNew, FileAccess.ReadWrite);
        long length = (long)volume.Statistics.AvailableBlocks * volume.Statistics.BlockSize;
        await file.ChangeRangeAsync(FileRangeChange.Allocate, 0, length);
        for (long at = 0; at < length; at += piece.Length)
        {
            await file.WriteAsync(piece.Memory[..(int)Math.Min(piece.Length, length - at)], at, IoOptions.Direct);
        }

        await file.FlushAsync();
        SimulatedDevice crashed = device.AfterPowerLoss(scheduler);
        scheduler.BrokenRule = Rule.None;
        await using Volume again = await OpenAsync(crashed);
        Assert.Equal(isKept, !(await ReadAllAsync(again, (int)length)).AsSpan().ContainsAnyExcept((byte)0x33));
    });

    private static async Task<byte[]> ReadAllAsync(Volume volume, int length)
    {
        byte[] found = new byte[length];
        await using OpenFile file = await volume.OpenFileAsync("/f", FileMode.Open, FileAccess.Read);
        int done = 0;
        while (done < length)
        {
            done += await file.ReadAsync(found.AsMemory(done), done);
        }

        return found;
    }

    private async Task<SimulatedDevice> MakeAsync(MakingOptions options)
    {
        var device = new SimulatedDevice(scheduler, VolumeLength);
        await Ext4Maker.MakeAsync(device, options);
        return device;
    }

    private async Task<Volume> OpenAsync(SimulatedDevice device, DataMode? mode = null) => await Volume.OpenAsync(
        device, new VolumeOptions { PageCache = new PageCache(scheduler, MaxPages), Scheduler = scheduler, DataMode = mode });
}

/// <summary>The format behind a volume.</summary>
internal static class VolumeFormat
{
    public static Ext4FileSystem Ext4(this Volume volume) => (Ext4FileSystem)volume.FileSystem;
}

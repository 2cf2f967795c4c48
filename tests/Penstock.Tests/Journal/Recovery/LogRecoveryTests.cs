using Penstock.Devices;
using Penstock.Journal;
using Penstock.Journal.Format;
using Penstock.Journal.Recovery;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
using Penstock.Testing.Journal;
using Xunit;

namespace Penstock.Tests.Journal.Recovery;

/// <summary>Logs composed block by block in every format, whole, torn and hostile: what of them is replayed, or laid over the volume.</summary>
public sealed class LogRecoveryTests
{
    private const int BlockSize = 1024;
    private const int VolumeBlocks = 4096;
    private const uint JournalBlocks = 64;

    private readonly ManualScheduler scheduler = new(1);
    private readonly SimulatedDevice device;

    public LogRecoveryTests()
    {
        device = new SimulatedDevice(scheduler, VolumeBlocks * BlockSize);
        for (int i = 0; i < VolumeBlocks; i++)
        {
            device.Poke((long)i * BlockSize, Content((ulong)i, 0));
        }

        JournalSuperblock superblock = JournalSuperblock.Create(BlockSize, JournalBlocks, Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10"));
        byte[] raw = new byte[JournalSuperblock.Size];
        superblock.WriteTo(raw);
        device.Poke(100 * BlockSize, raw);
    }

    public static TheoryData<int, int> Formats()
    {
        var data = new TheoryData<int, int>();
        JournalFeatures[] checksums = [0, JournalFeatures.ChecksumV2, JournalFeatures.ChecksumV3, JournalFeatures.AsyncCommit | JournalFeatures.ChecksumV3];
        foreach (JournalFeatures checksum in checksums)
        {
            data.Add((int)(checksum | JournalFeatures.Revoke), 0);
            data.Add((int)(checksum | JournalFeatures.Is64Bit | JournalFeatures.Revoke), 0);
        }

        data.Add(0, (int)JournalCompatFeatures.Checksum);
        data.Add((int)(JournalFeatures.AsyncCommit | JournalFeatures.Is64Bit), (int)JournalCompatFeatures.Checksum);
        return data;
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void The_newest_copies_that_were_not_revoked_are_replayed(int features, int compat) => Run(async (area, log) =>
    {
        log.Next = 50;
        log.Begin((JournalFeatures)features, (JournalCompatFeatures)compat, uint.MaxValue - 1);
        log.Write([(10, Content(10, 1)), (11, Content(11, 1)), (12, Escaped(12)), (13, Content(13, 1))]);
        log.Write([(14, Content(14, 1)), (4000, Content(4000, 1))]);
        log.Commit();
        log.Revoke(11, 13, 999);
        log.Write([(10, Content(10, 2))]);
        log.Commit();
        log.Write([(13, Content(13, 3)), (15, Content(15, 3))]);
        log.Commit();
        log.Write([(20, Content(20, 4))]);
        (ulong Block, byte[] Content)[] expected =
            [(10, Content(10, 2)), (11, Content(11, 0)), (12, Escaped(12)), (13, Content(13, 3)), (14, Content(14, 1)), (15, Content(15, 3)), (20, Content(20, 0)), (4000, Content(4000, 1))];

        byte[] before = device.Peek(0, VolumeBlocks * BlockSize);
        using var recovery = new LogRecovery(area);
        await recovery.ScanAsync(VolumeBlocks);
        Assert.Null(recovery.Contents.Damage);
        Assert.Equal((3u, new LogSequence(1)), (recovery.Contents.TransactionCount, recovery.Contents.End));
        await AssertOverlayAsync(await recovery.OverlayAsync(device), expected);
        Assert.Equal(before, device.Peek(0, before.Length));

        device.ClearRecord();
        await recovery.ReplayAsync(device);
        Assert.Equal((6, 2), (recovery.ReplayedCount, recovery.RevokedCount));
        Assert.Equal(DeviceOperation.Flush, device.Operations[^1].Operation);
        AssertVolume(before, expected);
    });

    [Fact]
    public void A_large_log_is_replayed_in_parts() => Run(async (area, log) =>
    {
        log.Begin(JournalFeatures.ChecksumV3 | JournalFeatures.Revoke);
        log.Write([.. Enumerable.Range(500, 20).Select(i => ((ulong)i, Content((ulong)i, 1)))]);
        log.Commit();
        log.Revoke(503, 504, 505, 506);
        log.Write([(504, Content(504, 2))]);
        log.Commit();
        log.Write([(505, Content(505, 2))]);
        log.Commit();
        byte[] before = device.Peek(0, VolumeBlocks * BlockSize);
        using var recovery = new LogRecovery(area, blocksOfPart: 4);
        await recovery.ScanAsync(VolumeBlocks);
        OverlaidDevice overlaid = await recovery.OverlayAsync(device);
        (ulong, byte[])[] expected =
            [.. Enumerable.Range(500, 20).Select(i => ((ulong)i, Content((ulong)i, i is 505 ? 2 : i is 503 or 504 or 506 ? 0 : 1)))];
        await AssertOverlayAsync(overlaid, expected);
        await recovery.ReplayAsync(device);
        AssertVolume(before, expected);
    });

    [Theory]
    [InlineData(JournalFeatures.ChecksumV3, 0, false)]
    [InlineData(JournalFeatures.ChecksumV2, 0, false)]
    [InlineData(0, JournalCompatFeatures.Checksum, false)]
    [InlineData(JournalFeatures.AsyncCommit | JournalFeatures.ChecksumV3, 0, true)]
    [InlineData(JournalFeatures.AsyncCommit, JournalCompatFeatures.Checksum, true)]
    internal void The_log_ends_at_a_commit_block_that_fails_its_checksum(JournalFeatures features, JournalCompatFeatures compat, bool isExplained) =>
        Run(async (area, log) =>
        {
            log.Begin(features, compat);
            log.Write([(10, Content(10, 1))]);
            log.Commit();
            log.Write([(11, Content(11, 2))]);
            log.Commit(change: block => block[0x13] ^= 1);
            LogContents found = await ScanAsync(area);
            Assert.Equal((1u, isExplained), (found.TransactionCount, found.Damage is null));
            Assert.True(isExplained || found.Damage!.Field == "h_chksum");
        });

    [Theory]
    [InlineData(JournalFeatures.ChecksumV3, 0, "t_checksum")]
    [InlineData(0, JournalCompatFeatures.Checksum, "h_chksum")]
    [InlineData(JournalFeatures.AsyncCommit | JournalFeatures.ChecksumV3, 0, null)]
    [InlineData(JournalFeatures.AsyncCommit, JournalCompatFeatures.Checksum, null)]
    internal void Data_that_is_missing_is_what_an_interrupted_asynchronous_commit_leaves_and_no_other(
        JournalFeatures features, JournalCompatFeatures compat, string? field) => Run(async (area, log) =>
    {
        log.Begin(features, compat);
        log.Write([(10, Content(10, 1))]);
        log.Commit();
        log.Write([(11, Content(11, 2)), (12, Content(12, 2))], (i, copy) => copy[500] ^= (byte)i);
        log.Commit();
        LogContents found = await ScanAsync(area);
        Assert.Equal(field, found.Damage?.Field);
        Assert.Equal(field == "t_checksum" ? 2u : 1u, found.TransactionCount);
    });

    [Fact]
    public void After_an_interrupted_commit_no_other_was_made() => Run(async (area, log) =>
    {
        log.Begin(JournalFeatures.AsyncCommit | JournalFeatures.ChecksumV3);
        log.Write([(10, Content(10, 1))], (_, copy) => copy[3] ^= 1);
        log.Commit();
        log.Write([(11, Content(11, 1))]);
        log.Commit();
        LogContents found = await ScanAsync(area);
        Assert.Equal((0u, "h_chksum"), (found.TransactionCount, found.Damage?.Field));
    });

    [Fact]
    public void A_revoked_copy_may_be_anything() => Run(async (area, log) =>
    {
        log.Begin(JournalFeatures.ChecksumV3 | JournalFeatures.Revoke);
        log.Write([(10, Content(10, 1)), (11, Content(11, 1))], (i, copy) => copy[7] ^= (byte)i);
        log.Commit();
        log.Revoke(11);
        log.Commit();
        Assert.Null((await ScanAsync(area)).Damage);
    });

    [Theory]
    [InlineData(999ul, true)]
    [InlineData(1000ul, false)]
    public void Blocks_of_an_older_log_that_fail_their_checksum_are_its_end(ulong seconds, bool isStale) => Run(async (area, log) =>
    {
        log.Begin(JournalFeatures.ChecksumV3);
        log.Write([(10, Content(10, 1))]);
        log.Commit();
        uint descriptor = log.Next;
        log.Write([(11, Content(11, 2))]);
        log.Commit(seconds);
        long offset = area.OffsetOf(descriptor, out _);
        byte[] block = device.Peek(offset, BlockSize);
        block[900] ^= 1;
        device.Poke(offset, block);
        LogContents found = await ScanAsync(area);
        Assert.Equal((1u, isStale), (found.TransactionCount, found.Damage is null));
    });

    [Fact]
    public void Every_block_of_a_torn_transaction_ends_the_log_before_it() => Run(async (area, log) =>
    {
        // Sector by sector: what a loss of power can leave of the last transaction, its commit block missing.
        log.Begin(JournalFeatures.ChecksumV3 | JournalFeatures.Revoke);
        log.Write([(10, Content(10, 1))]);
        log.Commit();
        uint first = log.Next;
        log.Write([(11, Content(11, 2)), (12, Content(12, 2))]);
        log.Revoke(10);
        int count = (int)(log.Next - first);
        byte[][] whole = [.. Enumerable.Range(0, count).Select(i => device.Peek(area.OffsetOf(first + (uint)i, out _), BlockSize))];
        for (int torn = 0; torn < 1 << (2 * count); torn++)
        {
            for (int sector = 0; sector < 2 * count; sector++)
            {
                byte[] bytes = (torn >> sector & 1) != 0 ? whole[sector / 2].AsSpan(sector % 2 * 512, 512).ToArray() : new byte[512];
                device.Poke(area.OffsetOf(first + (uint)(sector / 2), out _) + (sector % 2 * 512), bytes);
            }

            LogContents found = await ScanAsync(area);
            Assert.Equal((1u, true), (found.TransactionCount, found.Damage is null));
        }
    });

    [Theory]
    [InlineData(4096ul)]
    [InlineData(uint.MaxValue)]
    [InlineData(100ul)]
    [InlineData(139ul)]
    [InlineData(323ul)]
    public void A_place_beyond_the_volume_or_in_the_journal_is_damage(ulong place) => Run(async (area, log) =>
    {
        log.Begin(JournalFeatures.ChecksumV3);
        log.Write([(10, Content(10, 1))]);
        log.Commit();
        log.Write([(11, Content(11, 1)), (place, Content(place, 1))]);
        LogContents uncommitted = await ScanAsync(area);
        Assert.Null(uncommitted.Damage);
        log.Commit();
        LogContents found = await ScanAsync(area);
        Assert.Equal((1u, "t_blocknr"), (found.TransactionCount, found.Damage?.Field));
    });

    [Fact]
    public void A_log_full_of_blocks_that_never_commit_ends() => Run(async (area, log) =>
    {
        log.Begin(0);
        for (uint i = 1; i < JournalBlocks; i += 3)
        {
            log.Write([(10, Content(10, 1)), (11, Content(11, 1))]);
        }

        LogContents found = await ScanAsync(area);
        Assert.Equal((0u, true), (found.TransactionCount, found.Damage is null));
    });

    [Fact]
    public void A_log_that_fills_the_journal_is_replayed() => Run(async (area, log) =>
    {
        log.Next = 33;
        log.Begin(0);
        for (uint i = 0; i < (JournalBlocks - 1) / 3; i++)
        {
            log.Write([(10 + i, Content(10 + i, 1))]);
            log.Commit();
        }

        Assert.Equal(21u, (await ScanAsync(area)).TransactionCount);
    });

    [Fact]
    public void A_count_of_revoked_blocks_that_cannot_be_is_damage() => Run(async (area, log) =>
    {
        log.Begin(JournalFeatures.Revoke);
        uint revoke = log.Next;
        log.Revoke(1, 2);
        log.Commit();
        byte[] block = device.Peek(area.OffsetOf(revoke, out _), BlockSize);
        block[14] = 5;
        device.Poke(area.OffsetOf(revoke, out _), block);
        Assert.Equal("r_count", (await ScanAsync(area)).Damage?.Field);
    });

    [Fact]
    public void Noise_behind_a_start_is_an_empty_log() => Run(async (area, log) =>
    {
        log.Begin(JournalFeatures.ChecksumV3);
        var random = new Random(5);
        byte[] noise = new byte[BlockSize];
        for (int round = 0; round < 200; round++)
        {
            log.Next = 1;
            for (uint i = 1; i < 8; i++)
            {
                random.NextBytes(noise);
                new LogBlockHeader((LogBlockType)random.Next(0, 6), new LogSequence((uint)random.Next(1, 3))).WriteTo(noise);
                log.Put(noise);
            }

            LogContents found = await ScanAsync(area);
            Assert.Equal(0u, found.TransactionCount);
        }
    });

    [Fact]
    public void A_failing_device_is_named_with_the_place() => Run(async (area, log) =>
    {
        log.Begin(0);
        log.Write([(10, Content(10, 1))]);
        log.Commit();
        device.FailNext(DeviceOperation.Read, IoFault.DeviceFailed);
        DeviceException read = await Assert.ThrowsAsync<DeviceException>(async () => await ScanAsync(area));
        Assert.Equal(101 * BlockSize, read.Offset);

        using var recovery = new LogRecovery(area);
        await recovery.ScanAsync(VolumeBlocks);
        device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
        DeviceException written = await Assert.ThrowsAsync<DeviceException>(async () => await recovery.ReplayAsync(device));
        Assert.Equal(10 * BlockSize, written.Offset);
        device.FailNext(DeviceOperation.Flush, IoFault.DeviceFailed);
        await Assert.ThrowsAsync<DeviceException>(async () => await recovery.ReplayAsync(device));
    });

    [Fact]
    public void An_overlaid_read_that_fails_in_the_log_says_how_far_it_came() => Run(async (area, log) =>
    {
        log.Begin(0);
        log.Write([(11, Content(11, 1))]);
        log.Commit();
        using var recovery = new LogRecovery(area);
        await recovery.ScanAsync(VolumeBlocks);
        OverlaidDevice overlaid = await recovery.OverlayAsync(device);
        using var buffer = new AlignedBuffer(4 * BlockSize);
        long copy = area.OffsetOf(2, out _);
        device.FaultRule = o => o.Operation == DeviceOperation.Read && o.Offset == copy ? IoResult.Failed(IoFault.DeviceFailed) : null;
        IoResult read = await overlaid.ReadAsync(10 * BlockSize, buffer.Segment);
        Assert.Equal(new IoResult(BlockSize, IoFault.DeviceFailed), read);
        Assert.True(overlaid.IsReadOnly);
        Assert.Equal(IoFault.ReadOnly, (await overlaid.WriteAsync(0, buffer.Segment)).Fault);
    });

    [Fact]
    public void A_journal_with_a_hole_or_a_block_twice_is_damaged() => scheduler.Run(async () =>
    {
        foreach (BlockRun[] runs in (BlockRun[][])[
            [Piece(0, 100, 40), Piece(41, 300, 23)], [Piece(0, 100, 40), Piece(40, 120, 24)], [Piece(0, 100, 40) with { State = MapState.Unwritten }], []])
        {
            var damage = await Assert.ThrowsAsync<CorruptVolumeException>(async () => await LogArea.OpenAsync(device, BlockSize, runs, "inode 8"));
            Assert.Equal("block map", damage.Field);
        }
    });

    private static BlockRun Piece(ulong first, ulong volume, ulong count) => new(new FileBlock(first), new VolumeBlock(volume), count, MapState.Mapped);

    private static byte[] Content(ulong block, int version)
    {
        byte[] content = new byte[BlockSize];
        new Random((int)((block * 16) + (uint)version)).NextBytes(content);
        return content;
    }

    private static byte[] Escaped(ulong block)
    {
        byte[] content = Content(block, 9);
        new LogBlockHeader(LogBlockType.Commit, new LogSequence(1)).WriteTo(content);
        return content;
    }

    private static async Task<LogContents> ScanAsync(LogArea area)
    {
        using var recovery = new LogRecovery(area);
        await recovery.ScanAsync(VolumeBlocks);
        return recovery.Contents;
    }

    /// <summary>Reads every block alone, all of them at once, and in sectors that begin in the middle of a block.</summary>
    private async Task AssertOverlayAsync(OverlaidDevice overlaid, (ulong Block, byte[] Content)[] expected)
    {
        byte[] whole = device.Peek(0, VolumeBlocks * BlockSize);
        foreach ((ulong block, byte[] content) in expected)
        {
            content.CopyTo(whole, (int)block * BlockSize);
        }

        using var buffer = new AlignedBuffer(VolumeBlocks * BlockSize);
        Assert.Equal(buffer.Length, (await overlaid.ReadAsync(0, [buffer.Segment.Slice(0, 11264 + 512), buffer.Segment.Slice(11264 + 512, buffer.Length - 11776)])).Bytes);
        Assert.Equal(whole, buffer.GetSpan().ToArray());
        foreach ((ulong block, _) in expected)
        {
            for (int shift = -512; shift <= 512; shift += 512)
            {
                long offset = ((long)block * BlockSize) + shift;
                Assert.Equal(BlockSize, (await overlaid.ReadAsync(offset, buffer.Segment.Slice(0, BlockSize))).Bytes);
                Assert.Equal(whole.AsSpan((int)offset, BlockSize).ToArray(), buffer.GetSpan()[..BlockSize].ToArray());
            }
        }
    }

    private void AssertVolume(byte[] before, (ulong Block, byte[] Content)[] expected)
    {
        foreach ((ulong block, byte[] content) in expected)
        {
            content.CopyTo(before, (int)block * BlockSize);
        }

        Assert.Equal(before, device.Peek(0, before.Length));
    }

    /// <summary>The journal lies in two pieces.</summary>
    private void Run(Func<LogArea, LogComposer, Task> body) => scheduler.Run(async () =>
    {
        using LogArea area = await LogArea.OpenAsync(device, BlockSize, [Piece(0, 100, 40), Piece(40, 300, 24)], "inode 8");
        await body(area, new LogComposer(device, area));
    });
}

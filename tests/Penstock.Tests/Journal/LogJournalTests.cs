using System.Buffers.Binary;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Journal.Format;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Journal;

/// <summary>What one commit and one checkpoint do, step by step; the orders are <see cref="LogModelTests"/>'s.</summary>
public sealed class LogJournalTests
{
    private const int VolumeBlocks = 200;
    private const uint LogBlocks = 128;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_commit_writes_the_log_flushes_and_writes_a_durable_commit_block(bool hasChecksums) => Run(hasChecksums, async f =>
    {
        await ChangeAsync(f, 7, 3, 4, 90);
        f.Device.ClearRecord();
        await f.Journal.CommitAsync(f.Journal.Running);
        SimulatedOperation[] operations = [.. f.Device.Operations];
        Assert.DoesNotContain(operations, o => o.IsWrite && o.Offset < VolumeBlocks * LogFixture.BlockSize);
        Assert.Equal(DeviceOperation.WriteThrough, operations[^1].Operation);
        Assert.Equal(DeviceOperation.Flush, operations[^2].Operation);
        Assert.Equal(operations.Length - 2, operations[^2].CompletedBefore - operations[0].CompletedBefore);
        Assert.Equal(7, f.Recover(_ => false).Peek(90 * LogFixture.BlockSize, 1)[0]);
        Assert.Equal(0, f.Device.Peek(90 * LogFixture.BlockSize, 1)[0]);
    });

    [Fact]
    public void The_superblock_says_where_the_log_begins_before_it_does() => Run(false, async f =>
    {
        Assert.Equal(0u, f.ReadSuperblock().Start);
        await ChangeAsync(f, 7, 3);
        f.Device.ClearRecord();
        await f.Journal.CommitAsync(f.Journal.Running);
        SimulatedOperation first = f.Device.Operations[0];
        Assert.Equal((DeviceOperation.WriteThrough, (long)VolumeBlocks * LogFixture.BlockSize), (first.Operation, first.Offset));
        Assert.Equal(1u, f.ReadSuperblock().Start);
    });

    [Theory]
    [InlineData(Rule.None, 0)]
    [InlineData(Rule.MagicIsEscaped, 1)]
    internal void A_copy_that_looks_like_a_block_of_the_log_is_escaped(Rule broken, int seen) => Run(false, broken, async f =>
    {
        Handle handle = await f.Journal.BeginAsync(1);
        MetadataBlock block = await f.Cache.GetAsync(new VolumeBlock(5));
        using (BlockEdit edit = handle.Edit(block))
        {
            BinaryPrimitives.WriteUInt32BigEndian(edit.Bytes, LogBlockHeader.Magic);
        }

        block.Unpin();
        handle.Stop();
        await f.Journal.CommitAsync(f.Journal.Running);

        // The superblock, a descriptor and a commit block have the number; the copy must not.
        int found = Enumerable.Range(VolumeBlocks, (int)LogBlocks)
            .Count(i => LogBlockHeader.IsPresent(f.Device.Peek((long)i * LogFixture.BlockSize, LogFixture.BlockSize)));
        Assert.Equal(3 + seen, found);
        if (broken == Rule.None)
        {
            Assert.True(LogBlockHeader.IsPresent(f.Recover(_ => false).Peek(5 * LogFixture.BlockSize, 4)));
        }
    });

    [Fact]
    public void A_hundred_commits_at_once_are_two() => Run(false, async f =>
    {
        await ChangeAsync(f, 1, 3);
        await f.Journal.CommitAsync(f.Journal.Running);
        f.Device.ClearRecord();
        f.Device.Latency = _ => TimeSpan.FromMilliseconds(5);
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            await Task.CompletedTask;
            await ChangeAsync(f, (byte)i, (ulong)i % 8);
            await f.Journal.CommitAsync(f.Journal.Running);
        }));
        Assert.InRange(f.Device.Count(DeviceOperation.Flush), 1, 3);
    });

    [Fact]
    public void The_log_goes_round_and_round_and_every_change_is_found() => Run(true, async f =>
    {
        for (int i = 1; i <= 150; i++)
        {
            await ChangeAsync(f, (byte)i, (ulong)i % 40, 100, 101);
            await f.Journal.CommitAsync(f.Journal.Running);
            SimulatedDevice survivor = f.Recover(_ => i % 2 == 0);
            Assert.Equal((byte)i, survivor.Peek(101 * LogFixture.BlockSize, 1)[0]);
            Assert.Equal((byte)i, survivor.Peek(i % 40 * LogFixture.BlockSize, 1)[0]);
        }

        Assert.True(await f.Journal.SettleAsync());
        Assert.Equal(0u, f.ReadSuperblock().Start);
        Assert.Equal(150, f.Device.Peek(100 * LogFixture.BlockSize, 1)[0]);
    });

    [Fact]
    public void Newcomers_wait_until_the_closed_transaction_is_drained_and_reserved_ones_join_it() => Run(false, async f =>
    {
        Handle open = await f.Journal.BeginAsync(1);
        ReservedHandle reservation = await f.Journal.ReserveAsync(1);
        TransactionId closed = open.Transaction;
        Task commit = f.Journal.CommitAsync(closed).AsTask();
        f.Scheduler.RunUntilIdle();
        ValueTask<Handle> newcomer = f.Journal.BeginAsync(1);
        Assert.False(newcomer.IsCompleted);
        Handle reserved = reservation.Begin();
        Assert.Equal(closed, reserved.Transaction);
        open.Stop();
        f.Scheduler.RunUntilIdle();
        Assert.False(newcomer.IsCompleted);
        Assert.True(reserved.TryExtend(1));
        await reserved.RestartAsync(1);
        reserved.Stop();
        Handle next = await newcomer;
        Assert.Equal(closed.Next, next.Transaction);
        next.Stop();
        await commit;
    });

    [Fact]
    public void A_commit_waits_for_the_data_that_its_blocks_lead_to() => Run(false, async f =>
    {
        Handle handle = await f.Journal.BeginAsync(1);
        DataClaim claim = handle.ClaimData()!;
        MetadataBlock block = await f.Cache.GetAsync(new VolumeBlock(5));
        using (handle.Edit(block))
        {
        }

        block.Unpin();
        TransactionId transaction = handle.Transaction;
        handle.Stop();
        Task commit = f.Journal.CommitAsync(transaction).AsTask();
        f.Scheduler.RunUntilIdle();
        Assert.False(commit.IsCompleted);
        (await f.Journal.BeginAsync(1)).Stop();
        claim.End(IoFault.None);
        await commit;
    });

    [Theory]
    [InlineData(Rule.None, 3)]
    [InlineData(Rule.RefusedDataEndsCommits, 4)]
    internal void A_transaction_whose_data_the_device_refuses_is_not_committed(Rule broken, byte recovered) => Run(false, broken, async f =>
    {
        await ChangeAsync(f, 3, 5);
        await f.Journal.CommitAsync(f.Journal.Running);
        Handle handle = await f.Journal.BeginAsync(1);
        DataClaim claim = handle.ClaimData()!;
        TransactionId transaction = handle.Transaction;
        handle.Stop();
        await ChangeAsync(f, 4, 5);
        claim.End(IoFault.DeviceFailed);
        Exception? refused = await Record.ExceptionAsync(async () => await f.Journal.CommitAsync(transaction));
        Assert.Equal(broken == Rule.None, refused is DeviceException { Fault: IoFault.DeviceFailed });
        Assert.Equal(broken == Rule.None, f.Journal.IsAborted);
        Assert.Equal(recovered, f.Recover(_ => false).Peek(5 * LogFixture.BlockSize, 1)[0]);
    }, closes: false);

    [Fact]
    public void What_does_not_fit_the_journal_is_refused() => Run(false, async f =>
    {
        var refused = await Assert.ThrowsAsync<FileSystemException>(async () => await f.Journal.BeginAsync(126));
        Assert.Equal(IoFault.NoSpace, refused.Fault);

        // More than a quarter goes alone.
        await ChangeAsync(f, 9, [.. Enumerable.Range(0, 40).Select(i => (ulong)i)]);
        await f.Journal.CommitAsync(f.Journal.Running);
        Assert.Equal(9, f.Recover(_ => false).Peek(39 * LogFixture.BlockSize, 1)[0]);
    });

    [Theory]
    [InlineData(DeviceOperation.Write)]
    [InlineData(DeviceOperation.Flush)]
    [InlineData(DeviceOperation.WriteThrough)]
    internal void A_device_that_fails_ends_all_changes_and_the_journal_says_so(DeviceOperation operation) => Run(
        false,
        Rule.None,
        async f =>
        {
            await ChangeAsync(f, 1, 3);
            await f.Journal.CommitAsync(f.Journal.Running);
            await ChangeAsync(f, 2, 3);
            f.Device.FailNext(operation, IoFault.DeviceFailed);
            await Assert.ThrowsAsync<DeviceException>(async () => await f.Journal.CommitAsync(f.Journal.Running));
            Assert.True(f.Journal.IsAborted);
            f.Scheduler.RunUntilIdle();
            Assert.Equal(-5, f.ReadSuperblock().ErrorNumber);
            Assert.InRange(f.Recover(_ => true).Peek(3 * LogFixture.BlockSize, 1)[0], 1, 2);
            await Assert.ThrowsAsync<DeviceException>(async () => await f.Journal.SettleAsync());
        },
        closes: false);

    [Fact]
    public void A_full_host_keeps_the_changes_and_a_later_commit_has_them() => Run(false, async f =>
    {
        await ChangeAsync(f, 1, 3);
        await f.Journal.CommitAsync(f.Journal.Running);
        await ChangeAsync(f, 2, 3, 4);
        f.Device.FailNext(DeviceOperation.Write, IoFault.NoSpace);
        await Assert.ThrowsAsync<DeviceException>(async () => await f.Journal.CommitAsync(f.Journal.Running));
        Assert.False(f.Journal.IsAborted);
        Assert.Equal(1, f.Recover(_ => true).Peek(3 * LogFixture.BlockSize, 1)[0]);
        await ChangeAsync(f, 5, 5);
        await f.Journal.CommitAsync(f.Journal.Running);
        SimulatedDevice survivor = f.Recover(_ => false);
        Assert.Equal((2, 2, 5), (survivor.Peek(3 * LogFixture.BlockSize, 1)[0], survivor.Peek(4 * LogFixture.BlockSize, 1)[0], survivor.Peek(5 * LogFixture.BlockSize, 1)[0]));
    });

    private static void Run(bool hasChecksums, Func<LogFixture, Task> body) => Run(hasChecksums, Rule.None, body);

    private static void Run(bool hasChecksums, Rule broken, Func<LogFixture, Task> body, bool closes = true)
    {
        var f = new LogFixture(new IdleClient(), VolumeBlocks, seed: 1, broken, LogBlocks, hasChecksums: hasChecksums);
        f.Scheduler.Run(async () =>
        {
            await f.AttachAsync();
            await body(f);
            if (closes)
            {
                await f.Journal.DisposeAsync();
                Assert.Equal(0, f.Scheduler.AlarmCount);
            }
        });
    }

    private static async Task ChangeAsync(LogFixture f, byte value, params ulong[] numbers)
    {
        Handle handle = await f.Journal.BeginAsync(numbers.Length);
        foreach (ulong number in numbers)
        {
            MetadataBlock block = await f.Cache.GetAsync(new VolumeBlock(number));
            using (BlockEdit edit = handle.Edit(block))
            {
                edit.Bytes.Fill(value);
            }

            block.Unpin();
        }

        handle.Stop();
    }

    private sealed class IdleClient : IJournalClient
    {
        public int CreditsBeforeCommit => 0;

        public ValueTask BeforeFirstChangeAsync() => ValueTask.CompletedTask;

        public void FreedBlocksCommitted(VolumeBlock first, ulong count)
        {
        }

        public ValueTask BeforeCommitAsync(Handle handle) => ValueTask.CompletedTask;
    }
}

using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Journal;

public sealed class NoLogJournalTests
{
    private readonly JournalFixture _f = new();

    [Fact]
    public void A_commit_writes_neighbours_together_in_ascending_order_and_flushes() => _f.Run(async () =>
    {
        TransactionId transaction = await _f.ChangeAsync(7, 12, 10, 11, 40);
        Assert.Empty(_f.Writes);
        await _f.Journal.CommitAsync(transaction);
        Assert.Equal([(10L * 4096, 3L * 4096), (40L * 4096, 4096L)], _f.Writes.Select(o => (o.Offset, o.Length)));
        Assert.Equal(DeviceOperation.Flush, _f.Device.Operations[^1].Operation);
        Assert.Equal(4 + 2, _f.Device.Operations[^1].CompletedBefore);
        Assert.Equal(7, _f.Device.AfterPowerLoss(_f.Scheduler).Peek(11 * 4096, 1)[0]);
        Assert.Equal(0, _f.Cache.UnstableBlocks);
    });

    [Fact]
    public void A_committed_transaction_costs_nothing_to_commit_again() => _f.Run(async () =>
    {
        TransactionId transaction = await _f.ChangeAsync(7, 1);
        await _f.Journal.CommitAsync(transaction);
        int operations = _f.Device.Operations.Count;
        await _f.Journal.CommitAsync(transaction);
        await _f.Journal.CommitAsync(_f.Journal.Running);
        Assert.Equal(operations, _f.Device.Operations.Count);
    });

    [Fact]
    public void Many_commits_of_one_transaction_cost_one() => _f.Run(async () =>
    {
        TransactionId transaction = await _f.ChangeAsync(7, 1, 2);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => _f.Journal.CommitAsync(transaction).AsTask()));
        Assert.Equal(1, _f.Device.Count(DeviceOperation.Flush));
        Assert.Single(_f.Writes);
    });

    [Fact]
    public void A_commit_waits_for_the_handles_of_its_transaction_and_newcomers_do_not_wait_for_it() => _f.Run(async () =>
    {
        Handle open = await _f.Journal.BeginAsync(1);
        await _f.FillAsync(open, 1, 1);
        Task commit = _f.Journal.CommitAsync(open.Transaction).AsTask();
        _f.Scheduler.RunUntilIdle();
        Assert.False(commit.IsCompleted);
        Assert.Empty(_f.Writes);

        ValueTask<Handle> newcomer = _f.Journal.BeginAsync(1);
        Assert.True(newcomer.IsCompleted);
        Handle next = await newcomer;
        Assert.Equal(open.Transaction.Next, next.Transaction);

        open.Stop();
        await commit;
        Assert.Equal(1, _f.OnDevice(1));
        next.Stop();
    });

    [Fact]
    public void The_volume_is_marked_once_and_before_the_first_handle() => _f.Run(async () =>
    {
        var marking = PooledCompletion<bool>.Rent(_f.Scheduler);
        _f.Client.FirstChange = async () => await marking.Task;
        Task<Handle>[] handles = [.. Enumerable.Range(0, 3).Select(_ => _f.Journal.BeginAsync(1).AsTask())];
        _f.Scheduler.RunUntilIdle();
        Assert.DoesNotContain(handles, h => h.IsCompleted);
        marking.Complete(true);
        foreach (Handle handle in await Task.WhenAll(handles))
        {
            handle.Stop();
        }

        Assert.Equal(1, _f.Client.FirstChanges);
    });

    [Fact]
    public void A_failure_to_mark_the_volume_reaches_the_caller_and_the_next_one_tries_again() => _f.Run(async () =>
    {
        _f.Client.FirstChange = () => throw new DeviceException(IoFault.DeviceFailed, "d", "m");
        await Assert.ThrowsAsync<DeviceException>(async () => await _f.Journal.BeginAsync(1));
        _f.Client.FirstChange = null;
        (await _f.Journal.BeginAsync(1)).Stop();
        Assert.Equal(2, _f.Client.FirstChanges);
    });

    [Fact]
    public void A_volume_that_nobody_changes_is_not_touched()
    {
        _f.Run(async () => await _f.Journal.CommitAsync(_f.Journal.Running));
        Assert.Empty(_f.Device.Operations);
        Assert.Equal(0, _f.Client.FirstChanges);
    }

    [Fact]
    public void Overdrawn_credits_are_a_defect() => _f.Run(async () =>
    {
        Handle handle = await _f.Journal.BeginAsync(1);
        await _f.FillAsync(handle, 1, 1);
        await _f.FillAsync(handle, 1, 2);
        Assert.Equal(0, handle.CreditsLeft);
        await Assert.ThrowsAsync<InvalidOperationException>(() => _f.FillAsync(handle, 2, 1));
        Assert.True(handle.TryExtend(1));
        await _f.FillAsync(handle, 2, 1);
        handle.Stop();
        Assert.Throws<InvalidOperationException>(handle.Stop);
    });

    [Fact]
    public void What_is_dirty_is_committed_after_five_seconds_and_then_the_clock_rests() => _f.Run(async () =>
    {
        await _f.ChangeAsync(9, 5);
        _f.Scheduler.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(0, _f.OnDevice(5));
        _f.Scheduler.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(9, _f.OnDevice(5));
        Assert.Equal(1, _f.Device.Count(DeviceOperation.Flush));
        Assert.Equal(0, _f.Scheduler.AlarmCount);
    });

    [Fact]
    public void The_clients_last_changes_are_in_the_commit() => _f.Run(async () =>
    {
        _f.Client.LastChanges = handle => _f.FillAsync(handle, 100, 3);
        await _f.Journal.CommitAsync(await _f.ChangeAsync(9, 5));
        Assert.Equal(3, _f.OnDevice(100));
        _f.Client.LastChanges = null;
    });

    [Fact]
    public void Freed_blocks_are_told_when_their_transaction_is_on_the_device_and_not_before() => _f.Run(async () =>
    {
        Handle handle = await _f.Journal.BeginAsync(1);
        await _f.FillAsync(handle, 1, 1);
        handle.Freed(JournalFixture.Block(50), 2);
        handle.Freed(JournalFixture.Block(52), 1);
        handle.Freed(JournalFixture.Block(60), 1);
        TransactionId transaction = handle.Transaction;
        handle.Stop();
        _f.Device.HoldRule = o => o.Operation == DeviceOperation.Flush;
        Task commit = _f.Journal.CommitAsync(transaction).AsTask();
        _f.Scheduler.RunUntilIdle();
        Assert.Single(_f.Device.Held);
        Assert.Empty(_f.Client.Freed);
        _f.Device.ReleaseAll();
        await commit;
        Assert.Equal([(50, 3), (60, 1)], _f.Client.Freed.Select(r => ((int)r.First, (int)r.Count)));
    });

    [Fact]
    public void A_write_error_aborts_and_every_commit_from_then_on_says_so() => _f.Run(
        async () =>
        {
            TransactionId transaction = await _f.ChangeAsync(7, 1, 9);
            Handle later = await _f.Journal.BeginAsync(1);
            MetadataBlock block = await _f.Cache.GetAsync(JournalFixture.Block(3));
            _f.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
            later.Stop();
            Task[] commits = [_f.Journal.CommitAsync(transaction).AsTask(), _f.Journal.CommitAsync(transaction).AsTask()];
            foreach (Task commit in commits)
            {
                var e = await Assert.ThrowsAsync<DeviceException>(() => commit);
                Assert.Equal((IoFault.DeviceFailed, 4096), (e.Fault, e.Offset));
            }

            Assert.True(_f.Journal.IsAborted);
            Assert.Equal(IoFault.ReadOnly, (await Assert.ThrowsAsync<FileSystemException>(async () => await _f.Journal.BeginAsync(1))).Fault);
            await Assert.ThrowsAsync<DeviceException>(async () => await _f.Journal.CommitAsync(transaction));
            Assert.NotEqual(0, _f.Cache.UnstableBlocks);
            Assert.Equal(7, _f.Cache.TryGet(JournalFixture.Block(1))!.Bytes[0]);
            Assert.Equal(0, _f.Device.Count(DeviceOperation.Flush));
            await Assert.ThrowsAsync<DeviceException>(async () => await _f.Journal.DisposeAsync());
            Assert.Equal(0, block.Bytes[0]);
        },
        closes: false);

    [Fact]
    public void A_failed_flush_is_for_ever_even_if_it_says_no_space() => _f.Run(
        async () =>
        {
            TransactionId transaction = await _f.ChangeAsync(7, 1);
            _f.Device.FailNext(DeviceOperation.Flush, IoFault.NoSpace);
            await Assert.ThrowsAsync<DeviceException>(async () => await _f.Journal.CommitAsync(transaction));
            await Assert.ThrowsAsync<DeviceException>(async () => await _f.Journal.CommitAsync(transaction));
            Assert.True(_f.Journal.IsAborted);
        },
        closes: false);

    [Fact]
    public void A_full_host_keeps_everything_and_a_later_commit_succeeds() => _f.Run(async () =>
    {
        Handle handle = await _f.Journal.BeginAsync(3);
        await _f.FillAsync(handle, 1, 7);
        await _f.FillAsync(handle, 5, 7);
        await _f.FillAsync(handle, 9, 7);
        handle.Freed(JournalFixture.Block(50), 1);
        TransactionId transaction = handle.Transaction;
        handle.Stop();
        _f.Device.FailNext(DeviceOperation.Write, IoFault.NoSpace);
        var e = await Assert.ThrowsAsync<DeviceException>(async () => await _f.Journal.CommitAsync(transaction));
        Assert.Equal(IoFault.NoSpace, e.Fault);
        Assert.False(_f.Journal.IsAborted);
        Assert.Equal(1, _f.Cache.UnstableBlocks);
        Assert.Empty(_f.Client.Freed);
        Assert.Equal(0, _f.Device.Count(DeviceOperation.Flush));

        await _f.Journal.CommitAsync(transaction);
        Assert.Equal((7, 7, 7), (_f.OnDevice(1), _f.OnDevice(5), _f.OnDevice(9)));
        Assert.Equal([(50UL, 1UL)], _f.Client.Freed);
        Assert.Equal(7, _f.Device.AfterPowerLoss(_f.Scheduler).Peek(5 * 4096, 1)[0]);
    });

    [Fact]
    public void Closing_with_changes_that_cannot_be_written_fails() => _f.Run(
        async () =>
        {
            await _f.ChangeAsync(7, 1);
            _f.Device.FaultRule = o => o.IsWrite ? IoResult.Failed(IoFault.NoSpace) : null;
            var e = await Assert.ThrowsAsync<DeviceException>(async () => await _f.Journal.DisposeAsync());
            Assert.Equal(IoFault.NoSpace, e.Fault);
            Assert.Equal(0, _f.Scheduler.AlarmCount);
        },
        closes: false);

    [Fact]
    public void Too_many_dirty_blocks_make_newcomers_wait_for_a_commit_but_never_reserved_handles()
    {
        var f = new JournalFixture(maxUnstable: 8);
        f.Run(async () =>
        {
            ReservedHandle reserved = await f.Journal.ReserveAsync(4);
            await f.ChangeAsync(1, 1, 2, 3, 4, 5, 6, 7, 8);
            f.Device.HoldRule = o => o.IsWrite;
            Task<Handle> waits = f.Journal.BeginAsync(1).AsTask();
            f.Scheduler.RunUntilIdle();
            Assert.False(waits.IsCompleted);
            Assert.NotEmpty(f.Device.Held);

            Handle begun = reserved.Begin();
            await f.FillAsync(begun, 20, 1);
            begun.Stop();
            f.Scheduler.RunUntilIdle();
            Assert.False(waits.IsCompleted);

            f.Device.ReleaseAll();
            (await waits).Stop();
        });
    }

    [Fact]
    public void A_handle_larger_than_the_limit_goes_alone()
    {
        var f = new JournalFixture(maxUnstable: 8);
        f.Run(async () =>
        {
            Handle small = await f.Journal.BeginAsync(2);
            Task<Handle> large = f.Journal.BeginAsync(100).AsTask();
            Task<Handle> behind = f.Journal.BeginAsync(1).AsTask();
            f.Scheduler.RunUntilIdle();
            Assert.False(large.IsCompleted || behind.IsCompleted);
            small.Stop();
            Handle handle = await large;
            f.Scheduler.RunUntilIdle();
            Assert.False(behind.IsCompleted);
            handle.Stop();
            (await behind).Stop();
        });
    }

    [Fact]
    public void A_restart_goes_on_in_the_running_transaction() => _f.Run(async () =>
    {
        Handle handle = await _f.Journal.BeginAsync(1);
        TransactionId first = handle.Transaction;
        await _f.FillAsync(handle, 1, 1);
        Task commit = _f.Journal.CommitAsync(first).AsTask();
        _f.Scheduler.RunUntilIdle();
        Assert.False(handle.TryExtend(1));
        await handle.RestartAsync(2);
        await commit;
        Assert.Equal((first.Next, 2), (handle.Transaction, handle.CreditsLeft));
        await _f.FillAsync(handle, 1, 2);
        handle.Stop();
        Assert.Equal(1, _f.OnDevice(1));
    });

    [Fact]
    public void An_abort_refuses_edits_of_open_handles() => _f.Run(
        async () =>
        {
            Handle handle = await _f.Journal.BeginAsync(1);
            _f.Journal.Abort(IoFault.Corrupt);
            Assert.Equal(IoFault.ReadOnly, (await Assert.ThrowsAsync<FileSystemException>(() => _f.FillAsync(handle, 1, 1))).Fault);
            handle.Stop();
        },
        closes: false);

    [Fact]
    public void A_read_only_journal_refuses_changes_and_reads() => _f.Scheduler.Run(async () =>
    {
        _f.PutOnDevice(3, 8);
        var cache = new VolumeMetadataCache(_f.Device, 4096);
        await using var journal = new ReadOnlyJournal(cache, "asked for");
        var e = await Assert.ThrowsAsync<FileSystemException>(async () => await journal.BeginAsync(1));
        Assert.Equal(IoFault.ReadOnly, e.Fault);
        MetadataBlock block = await journal.Cache.GetAsync(JournalFixture.Block(3));
        Assert.Equal(8, block.Bytes[0]);
        block.Unpin();
        await journal.CommitAsync(journal.Running);
    });
}

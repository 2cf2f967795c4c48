using Penstock.Devices;
using Penstock.Journal;
using Penstock.Mapping;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Journal;

public sealed class VolumeMetadataCacheTests
{
    private readonly JournalFixture _f = new();

    private VolumeMetadataCache Cache => _f.Cache;

    private SimulatedDevice Device => _f.Device;

    [Theory]
    [InlineData(1024)]
    [InlineData(2048)]
    [InlineData(4096)]
    [InlineData(65536)]
    public void A_block_is_read_once_and_then_found(int blockSize)
    {
        var f = new JournalFixture(blockSize);
        f.PutOnDevice(7, 42);
        f.Run(async () =>
        {
            Assert.Null(f.Cache.TryGet(B(7)));
            MetadataBlock block = await f.Cache.GetAsync(B(7));
            Assert.Equal(blockSize, block.Bytes.Length);
            Assert.True(block.Bytes.IndexOfAnyExcept((byte)42) < 0);
            Assert.Same(block, f.Cache.TryGet(B(7)));
            Assert.Same(block, await f.Cache.GetAsync(B(7)));
            Assert.Equal(3, block.Pins);
            Assert.Equal((7L * blockSize, (long)blockSize), f.Device.Operations.Select(o => (o.Offset, o.Length)).Single());
            Unpin(block, 3);
        });
    }

    [Fact]
    public void Several_who_want_one_block_share_the_read() => _f.Run(async () =>
    {
        Task<MetadataBlock>[] wants = [.. Enumerable.Range(0, 5).Select(_ => Cache.GetAsync(B(7)).AsTask())];
        MetadataBlock[] blocks = await Task.WhenAll(wants);
        Assert.Single(Device.Operations);
        Assert.All(blocks, b => Assert.Same(blocks[0], b));
        Assert.Equal(5, blocks[0].Pins);
        Unpin(blocks[0], 5);
    });

    [Fact]
    public void A_failed_read_reaches_all_who_wait_and_leaves_nothing_behind() => _f.Run(async () =>
    {
        Device.FailNext(DeviceOperation.Read, IoFault.DeviceFailed, bytes: 512);
        Task<MetadataBlock>[] wants = [.. Enumerable.Range(0, 3).Select(_ => Cache.GetAsync(B(7)).AsTask())];
        foreach (Task<MetadataBlock> want in wants)
        {
            var e = await Assert.ThrowsAsync<DeviceException>(() => want);
            Assert.Equal((IoFault.DeviceFailed, 7L * 4096), (e.Fault, e.Offset));
        }

        Assert.Null(Cache.TryGet(B(7)));
        Assert.Equal(0, Cache.CachedBlocks);
        (await Cache.GetAsync(B(7))).Unpin();
    });

    [Fact]
    public void A_block_beyond_the_device_is_a_corrupt_volume() => _f.Run(async () =>
    {
        var e = await Assert.ThrowsAsync<CorruptVolumeException>(async () => await Cache.GetAsync(B(4096)));
        Assert.Equal("block pointer", e.Structure);
        await Assert.ThrowsAsync<CorruptVolumeException>(async () => await Cache.GetAsync(B(ulong.MaxValue)));
        Assert.Throws<CorruptVolumeException>(() => Cache.GetNew(B(1UL << 52)));
        Assert.Null(Cache.TryGet(B(ulong.MaxValue)));
        Cache.Prefetch(B(ulong.MaxValue), 10);
        Cache.Prefetch(B(4095), int.MaxValue);
        _f.Scheduler.RunUntilIdle();
        Assert.Equal(4096, Device.Operations.Single().Length);
    });

    [Fact]
    public void Clean_blocks_make_room_least_recently_used_first()
    {
        var f = new JournalFixture(budget: 16 * 4096);
        f.Run(async () =>
        {
            for (ulong i = 0; i < 100; i++)
            {
                (await f.Cache.GetAsync(B(i))).Unpin();
                (await f.Cache.GetAsync(B(3))).Unpin();
            }

            Assert.Equal(16, f.Cache.Frames);
            Assert.Equal(16, f.Cache.CachedBlocks);
            Assert.Single(f.Device.Operations, o => o.Offset == 3 * 4096);
        });
    }

    [Fact]
    public void Pinned_and_dirty_blocks_stay_whatever_the_budget_says()
    {
        var f = new JournalFixture(budget: 8 * 4096, maxUnstable: 1000);
        f.Run(async () =>
        {
            MetadataBlock pinned = await f.Cache.GetAsync(B(2000));
            await f.ChangeAsync(9, [.. Enumerable.Range(0, 40).Select(i => (ulong)i)]);
            for (ulong i = 100; i < 200; i++)
            {
                (await f.Cache.GetAsync(B(i))).Unpin();
            }

            Assert.Same(pinned, f.Cache.TryGet(B(2000)));
            Unpin(pinned, 2);
            for (ulong i = 0; i < 40; i++)
            {
                MetadataBlock? block = f.Cache.TryGet(B(i));
                Assert.Equal(9, block!.Bytes[0]);
                block.Unpin();
            }

            Assert.InRange(f.Cache.Frames, 41, 64);
        });
    }

    [Fact]
    public void A_new_block_is_zeros_whatever_was_there_and_reads_nothing() => _f.Run(async () =>
    {
        _f.PutOnDevice(7, 42);
        (await Cache.GetAsync(B(7))).Unpin();
        Device.ClearRecord();
        MetadataBlock block = Cache.GetNew(B(7));
        Assert.True(block.Bytes.IndexOfAnyExcept((byte)0) < 0);
        Assert.Empty(Device.Operations);
        Assert.Same(block, Cache.TryGet(B(7)));
        Unpin(block, 2);
    });

    [Fact]
    public void A_new_block_is_not_filled_by_a_prefetch_that_came_before() => _f.Run(async () =>
    {
        _f.PutOnDevice(7, 42);
        Device.HoldRule = o => o.Operation == DeviceOperation.Read;
        Cache.Prefetch(B(7), 1);
        MetadataBlock block = Cache.GetNew(B(7));
        Device.ReleaseAll();
        _f.Scheduler.RunUntilIdle();
        Assert.Equal(0, block.Bytes[0]);
        Assert.Same(block, await Cache.GetAsync(B(7)));
        Unpin(block, 2);
    });

    [Fact]
    public void A_block_in_use_as_metadata_is_never_handed_out_as_new() => _f.Run(async () =>
    {
        await _f.ChangeAsync(1, 7);
        Assert.Equal("block bitmap", Assert.Throws<CorruptVolumeException>(() => Cache.GetNew(B(7))).Structure);
    });

    [Fact]
    public void A_prefetch_reads_what_is_missing_in_few_requests_and_its_failures_are_silent() => _f.Run(async () =>
    {
        (await Cache.GetAsync(B(10))).Unpin();
        Device.ClearRecord();
        Cache.Prefetch(B(8), 8);
        MetadataBlock block = await Cache.GetAsync(B(14));
        Assert.Equal([(8L, 2L), (11L, 5L)], Device.Operations.Select(o => (o.Offset / 4096, o.Length / 4096)));
        block.Unpin();

        Device.FailNext(DeviceOperation.Read, IoFault.DeviceFailed, bytes: 4096);
        Cache.Prefetch(B(20), 3);
        _f.Scheduler.RunUntilIdle();
        Assert.NotNull(Cache.TryGet(B(20)));
        Unpin(Cache.TryGet(B(20))!, 2);
        Assert.Null(Cache.TryGet(B(21)));
        (await Cache.GetAsync(B(21))).Unpin();
    });

    [Fact]
    public void A_prefetch_stays_within_the_budget()
    {
        var f = new JournalFixture(budget: 64 * 4096);
        f.Run(() =>
        {
            f.Cache.Prefetch(B(0), 4000);
            f.Scheduler.RunUntilIdle();
            Assert.InRange(f.Cache.CachedBlocks, 1, 16);
            return Task.CompletedTask;
        });
    }

    [Fact]
    public void A_change_during_a_write_is_written_by_the_next_commit() => _f.Run(async () =>
    {
        TransactionId first = await _f.ChangeAsync(1, 7);
        Device.HoldRule = o => o.IsWrite;
        Task commit = _f.Journal.CommitAsync(first).AsTask();
        _f.Scheduler.RunUntilIdle();
        TransactionId second = await _f.ChangeAsync(2, 7);
        Device.ReleaseAll();
        await commit;
        Assert.Equal(1, _f.OnDevice(7));
        Assert.Equal(1, Cache.UnstableBlocks);
        await _f.Journal.CommitAsync(second);
        Assert.Equal(2, _f.OnDevice(7));
    });

    [Fact]
    public void A_block_freed_in_its_own_transaction_is_never_written() => _f.Run(async () =>
    {
        Handle handle = await _f.Journal.BeginAsync(2);
        await _f.FillAsync(handle, 7, 1);
        await _f.FillAsync(handle, 8, 1);
        handle.Forget(B(7));
        handle.Stop();
        Assert.Null(Cache.TryGet(B(7)));
        await _f.Journal.DisposeAsync();
        Assert.Equal([8L * 4096], _f.Writes.Select(o => o.Offset));
    });

    [Fact]
    public void A_block_freed_while_its_older_change_waits_is_written_by_that_ones_commit_and_by_no_other() => _f.Run(async () =>
    {
        Handle blocker = await _f.Journal.BeginAsync(1);
        await _f.FillAsync(blocker, 7, 1);
        Task commit = _f.Journal.CommitAsync(blocker.Transaction).AsTask();
        _f.Scheduler.RunUntilIdle();
        Handle next = await _f.Journal.BeginAsync(1);
        next.Forget(B(7));
        next.Stop();
        Assert.Null(Cache.TryGet(B(7)));
        blocker.Stop();
        await commit;
        Assert.Equal(1, _f.OnDevice(7));
        _f.PutOnDevice(7, 99);
        await _f.Journal.DisposeAsync();
        Assert.Equal(99, _f.OnDevice(7));
    });

    [Fact]
    public void A_block_freed_and_allocated_again_works() => _f.Run(async () =>
    {
        MetadataBlock stale = await Cache.GetAsync(B(7));
        await _f.ChangeAsync(1, 7);
        Handle handle = await _f.Journal.BeginAsync(1);
        handle.Forget(B(7));
        handle.Freed(B(7), 1);
        TransactionId freeing = handle.Transaction;
        handle.Stop();
        await _f.Journal.CommitAsync(freeing);

        Handle again = await _f.Journal.BeginAsync(1);
        MetadataBlock block = Cache.GetNew(B(7));
        Assert.NotSame(stale, block);
        using (BlockEdit edit = again.Edit(block))
        {
            Assert.Equal(0, edit.Bytes[0]);
            edit.Bytes.Fill(5);
        }

        Assert.Throws<InvalidOperationException>(() => again.TryExtend(1) && again.Edit(stale).Bytes.IsEmpty);
        again.Stop();
        block.Unpin();
        stale.Unpin();
        await _f.Journal.CommitAsync(_f.Journal.Running);
        Assert.Equal(5, _f.OnDevice(7));
    });

    [Fact]
    public void Freed_blocks_are_told_only_when_no_write_of_them_is_in_flight() => _f.Run(async () =>
    {
        TransactionId first = await _f.ChangeAsync(1, 7);
        Device.HoldRule = o => o.IsWrite;
        Task commit = _f.Journal.CommitAsync(first).AsTask();
        _f.Scheduler.RunUntilIdle();
        Handle handle = await _f.Journal.BeginAsync(1);
        handle.Forget(B(7));
        handle.Freed(B(7), 1);
        Task second = _f.Journal.CommitAsync(handle.Transaction).AsTask();
        handle.Stop();
        _f.Scheduler.RunUntilIdle();
        Assert.Empty(_f.Client.Freed);
        Device.ReleaseAll();
        await commit;
        await second;
        Assert.Equal([(7UL, 1UL)], _f.Client.Freed);
    });

    [Fact]
    public void Steady_use_allocates_nothing()
    {
        _f.Run(async () =>
        {
            MetadataBlock block = await Cache.GetAsync(B(7));
            Handle outer = await _f.Journal.BeginAsync(1);
            outer.Stop();
            Work(1000);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Work(1000);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            block.Unpin();
        });

        void Work(int times)
        {
            for (int i = 0; i < times; i++)
            {
                ValueTask<Handle> begun = _f.Journal.BeginAsync(2);
                Assert.True(begun.IsCompletedSuccessfully);
                Handle handle = begun.Result;
                MetadataBlock block = Cache.TryGet(B(7))!;
                using (BlockEdit edit = handle.Edit(block))
                {
                    edit.Bytes[0]++;
                }

                block.Unpin();
                handle.Stop();
            }
        }
    }

    private static VolumeBlock B(ulong number) => new(number);

    private static void Unpin(MetadataBlock block, int times)
    {
        for (int i = 0; i < times; i++)
        {
            block.Unpin();
        }
    }
}

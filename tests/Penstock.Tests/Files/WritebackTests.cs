using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Mapping;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

public sealed class WritebackTests
{
    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.CleanFileNeedsNoWait)]
    internal void Rule_1_17_a_clean_file_is_a_no_op_and_needs_no_wait(Rule broken)
    {
        var fixture = new PagesFixture(broken: broken);
        MemoryInode inode = fixture.CreateInode();
        Assert.Equal(broken == Rule.None, inode.Pages!.WriteBackAsync(0, long.MaxValue).IsCompletedSuccessfully);
        Assert.Empty(fixture.Device.Operations);
    }

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.WritebackErrorReachesEveryOpenFile)]
    internal void Rule_2_16_an_error_reaches_each_open_files_next_sync_exactly_once(Rule broken)
    {
        var fixture = new PagesFixture(broken: broken);
        MemoryInode inode = fixture.CreateInode();
        fixture.Scheduler.Run(async () =>
        {
            ErrorCursor first = inode.Pages!.Errors.Sample();
            ErrorCursor second = inode.Pages!.Errors.Sample();
            await FailOneWritebackAsync(fixture, inode);
            Assert.Equal(IoFault.DeviceFailed, await SyncAsync(inode, first));
            Assert.Equal(broken == Rule.None ? IoFault.DeviceFailed : IoFault.None, await SyncAsync(inode, second));
            Assert.Equal(IoFault.None, await SyncAsync(inode, first));
            Assert.Equal(IoFault.None, await SyncAsync(inode, second));

            // All have seen it, so who comes now is not told.
            Assert.Equal(IoFault.None, await SyncAsync(inode, inode.Pages!.Errors.Sample()));
        });
    }

    [Fact]
    public void Rule_2_16_a_later_opener_is_told_if_nobody_has_seen_the_error()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            await FailOneWritebackAsync(fixture, inode);
            ErrorCursor later = inode.Pages!.Errors.Sample();
            Assert.Equal(IoFault.DeviceFailed, await SyncAsync(inode, later));
            Assert.Equal(IoFault.None, await SyncAsync(inode, later));
        });
    }

    [Theory]
    [InlineData(MemoryFileKind.Extents)]
    [InlineData(MemoryFileKind.BlockMapped)]
    internal void What_could_not_be_written_stays_dirty_and_lands_later(MemoryFileKind kind)
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode(kind);
        byte[] content = PagesFixture.Pattern(50_000, 4);
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, content, 0);
            fixture.Device.FailNext(DeviceOperation.Write, IoFault.NoSpace, bytes: 4096);
            Assert.Equal(IoFault.NoSpace, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
            Assert.Equal(0, inode.StoredSize);
            Assert.False(await inode.Pages!.InvalidateAsync(0, long.MaxValue));
            Assert.Equal(content, await PagesFixture.ReadAsync(inode, 0, content.Length));
            Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
            Assert.True(await inode.Pages!.InvalidateAsync(0, long.MaxValue));
            Assert.Equal(content.Length, inode.StoredSize);
            Assert.Equal(content, await PagesFixture.ReadAsync(inode, 0, content.Length));
        });
        Assert.Equal(0, fixture.Cache.DirtyBytes);
    }

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.HoleAllocatedUnwritten)]
    internal void Rule_2_17_a_block_is_unwritten_until_its_data_has_landed(Rule broken)
    {
        var fixture = new PagesFixture(broken: broken);
        MemoryInode inode = fixture.CreateInode();
        fixture.Scheduler.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(4096, 4), 0);
            fixture.Device.HoldRule = o => o.Operation == DeviceOperation.Write;
            Task<IoFault> writeback = inode.Pages!.WriteBackAsync(0, long.MaxValue).AsTask();
            await fixture.SettleAsync();
            Assert.Single(fixture.Device.Held);

            // A crash now would leave this mapping, and poison behind it.
            inode.Blocks.TryMap(default, 1, out BlockRun during);
            Assert.Equal(broken == Rule.None ? MapState.Unwritten : MapState.Mapped, during.State);
            fixture.Device.ReleaseAll();
            Assert.Equal(IoFault.None, await writeback);
            inode.Blocks.TryMap(default, 1, out BlockRun after);
            Assert.Equal(MapState.Mapped, after.State);
        });
    }

    [Fact]
    public void Rule_2_18_a_completion_needs_no_inode_lock()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(100_000, 4), 0);
            await inode.Lock.AcquireExclusiveAsync();
            await inode.Gate.AcquireExclusiveAsync();
            await inode.Invalidation.AcquireExclusiveAsync();
            Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
            Assert.Equal(100_000, inode.StoredSize);
            inode.Invalidation.ReleaseExclusive();
            inode.Gate.ReleaseExclusive();
            inode.Lock.ReleaseExclusive();
        });
    }

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.WritebackAlwaysWaits)]
    internal void Rule_2_19_what_was_started_is_waited_for_even_if_a_start_failed(Rule broken)
    {
        var fixture = new PagesFixture(broken: broken);
        MemoryInode inode = fixture.CreateInode();
        fixture.Scheduler.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(4096, 4), 0);
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(4096, 5), 1 << 20);
            int allocations = 0;
            inode.Blocks.FaultRule = what => what == "allocate" && ++allocations == 2 ? IoFault.DeviceFailed : IoFault.None;
            fixture.Device.HoldRule = o => o.Operation == DeviceOperation.Write;
            Task<IoFault> writeback = inode.Pages!.WriteBackAsync(0, long.MaxValue).AsTask();
            await fixture.SettleAsync();
            Assert.Single(fixture.Device.Held);
            Assert.Equal(broken != Rule.None, writeback.IsCompleted);
            fixture.Device.ReleaseAll();
            Assert.Equal(IoFault.DeviceFailed, await writeback);
            await fixture.SettleAsync();
        });
    }

    [Fact]
    public void Rule_2_19_a_pending_error_is_reported_even_when_no_page_is_cached()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            inode.Pages!.Errors.Record(IoFault.DeviceFailed);
            Assert.Equal(IoFault.DeviceFailed, await inode.Pages!.WriteBackAsync(0, 4096));
            Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, 4096));
        });
    }

    [Fact]
    public void Every_waiter_for_a_range_learns_that_it_did_not_land()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(4096, 4), 0);
            fixture.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
            Task<IoFault> first = fixture.ForkAsync(() => inode.Pages!.WriteBackAsync(0, 4096));
            Task<IoFault> second = fixture.ForkAsync(() => inode.Pages!.WriteBackAsync(0, 4096));
            Assert.Equal(IoFault.DeviceFailed, await first);
            Assert.Equal(IoFault.DeviceFailed, await second);
        });
    }

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.InvalidationKeepsDirtyPages)]
    internal void Invariant_3_4_an_invalidation_never_drops_dirty_data(Rule broken)
    {
        var fixture = new PagesFixture(broken: broken);
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(8192, 4);
        fixture.Scheduler.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, content, 0);
            bool isGone = await inode.Pages!.InvalidateAsync(0, 8192);
            byte[] read = await PagesFixture.ReadAsync(inode, 0, 8192);
            Assert.Equal(broken != Rule.None, isGone);
            Assert.Equal(broken == Rule.None, content.AsSpan().SequenceEqual(read));
        });
    }

    [Fact]
    public void A_full_volume_is_met_by_the_write_and_nothing_is_lost()
    {
        var fixture = new PagesFixture(deviceLength: 1 << 20);
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(2 << 20, 4);
        fixture.Run(async () =>
        {
            IoResult result = await PagesFixture.WriteAsync(inode, content, 0);
            Assert.Equal(new IoResult((1 << 20) - 4096, IoFault.NoSpace), result);
            Assert.Equal(IoFault.None, await SyncAsync(inode, inode.Pages!.Errors.Sample()));
            Assert.True(await inode.Pages!.InvalidateAsync(0, long.MaxValue));
            Assert.Equal(content[..(int)result.Bytes], await PagesFixture.ReadAsync(inode, 0, content.Length));
            Assert.Equal(0UL, fixture.Volume.FreeBlocks);
        });
    }

    [Fact]
    public void Old_dirty_pages_are_written_back_in_the_background()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () => await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(8192, 4), 0));
        fixture.Scheduler.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(0, fixture.Device.Count(DeviceOperation.Write));
        fixture.Scheduler.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(1, fixture.Device.Count(DeviceOperation.Write));
        Assert.False(inode.Pages!.IsDirty);
        Assert.Empty(fixture.Scheduler.Recorder!.Violations);

        // Nothing is dirty: nothing ticks.
        fixture.Scheduler.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(0, fixture.Scheduler.AlarmCount);
    }

    [Fact]
    public void A_sync_flushes_the_device_even_when_nothing_changed()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            Assert.Equal(IoFault.None, await SyncAsync(inode, inode.Pages!.Errors.Sample()));
            Assert.True(fixture.Device.Count(DeviceOperation.Flush) > 0);
        });
    }

    [Fact]
    public void A_failed_flush_fails_every_later_sync()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            ErrorCursor cursor = inode.Pages!.Errors.Sample();
            fixture.Device.FailNext(DeviceOperation.Flush, IoFault.DeviceFailed);
            Assert.Equal(IoFault.DeviceFailed, await SyncAsync(inode, cursor));
            Assert.NotEqual(IoFault.None, await SyncAsync(inode, cursor));
        });
    }

    [Fact]
    public void What_was_synced_survives_power_loss()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(60_000, 4);
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, content, 0);
            await SyncPath.FsyncAsync(inode, dataOnly: true, inode.Pages!.Errors.Sample());
            Assert.Equal(content.Length, inode.StoredSize);
            Assert.False(inode.IsAttributesDirty);
            inode.Blocks.TryMap(default, 15, out BlockRun run);
            byte[] onDevice = fixture.Device.AfterPowerLoss(fixture.Scheduler).Peek((long)run.Volume.Value * 4096, content.Length);
            Assert.Equal(content, onDevice);
        });
    }

    [Fact]
    public void A_sync_that_overtakes_another_of_the_same_file_stores_what_that_one_has_not()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        var room = new SharedEvent(fixture.Scheduler);
        int stored = 0;
        inode.DuringEndOfIo = () =>
        {
            stored++;
            return ValueTask.CompletedTask;
        };
        fixture.Scheduler.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(4096, 4), 0);
            Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, long.MaxValue));

            // As the writeback of blocks that were there already leaves it.
            inode.Pages.HasUnstoredSize = true;
            inode.MarkAttributesDirty();
            fixture.Volume.MemoryJournal.HoldsBack = room;
            Task held = SyncPath.FsyncAsync(inode, dataOnly: true, inode.Pages.Errors.Sample()).AsTask();
            stored = 0;
            await SyncPath.FsyncAsync(inode, dataOnly: true, inode.Pages.Errors.Sample());
            Assert.False(held.IsCompleted);
            Assert.Equal(1, stored);
            room.Set();
            await held;
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_sync_that_finds_attributes_being_stored_does_not_succeed_when_that_fails(bool isWholeVolume)
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        var reading = new SharedEvent(fixture.Scheduler);
        int tries = 0;
        inode.DuringEndOfIo = async () =>
        {
            tries++;
            await reading.WaitAsync();
            throw new FileSystemException(IoFault.DeviceFailed, "the inode's block cannot be read");
        };
        fixture.Scheduler.Run(async () =>
        {
            inode.Change((ref InodeAttributes attributes) => attributes.Mode ^= 1);
            Task<IoFault> first = SyncAsync(inode, inode.Pages!.Errors.Sample());
            await fixture.SettleAsync();
            Assert.Equal(1, tries);
            Assert.False(inode.IsAttributesDirty);
            Task<IoFault> second = isWholeVolume ? SyncVolumeAsync(fixture) : SyncAsync(inode, inode.Pages!.Errors.Sample());
            await fixture.SettleAsync();
            Assert.False(second.IsCompleted);
            reading.Set();
            Assert.Equal(IoFault.DeviceFailed, await first);
            Assert.Equal(IoFault.DeviceFailed, await second);
            Assert.True(inode.IsAttributesDirty);

            inode.DuringEndOfIo = null;
            Assert.Equal(IoFault.None, await SyncVolumeAsync(fixture));
            Assert.False(inode.IsAttributesDirty);
        });
    }

    [Fact]
    public void A_sync_of_the_volume_stores_what_another_is_about_to_store()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        var room = new SharedEvent(fixture.Scheduler);
        fixture.Scheduler.Run(async () =>
        {
            inode.Change((ref InodeAttributes attributes) => attributes.Mode ^= 1);
            fixture.Volume.MemoryJournal.HoldsBack = room;
            Task<IoFault> held = SyncVolumeAsync(fixture);
            await fixture.SettleAsync();
            Assert.True(inode.IsAttributesDirty);
            Assert.Equal(IoFault.None, await SyncVolumeAsync(fixture));
            Assert.False(inode.IsAttributesDirty);
            room.Set();
            Assert.Equal(IoFault.None, await held);
        });
    }

    private static async Task<IoFault> SyncVolumeAsync(PagesFixture fixture)
    {
        try
        {
            await SyncPath.SyncFileSystemAsync(fixture.Volume);
            return IoFault.None;
        }
        catch (FileSystemException e)
        {
            return e.Fault;
        }
    }

    private static async Task FailOneWritebackAsync(PagesFixture fixture, MemoryInode inode)
    {
        await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(4096, 4), 0);
        fixture.Device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed);
        await inode.Pages!.StartWritebackAsync(0, long.MaxValue);
        await inode.Pages!.WaitWritebackAsync(0, long.MaxValue);
    }

    private static async Task<IoFault> SyncAsync(MemoryInode inode, ErrorCursor cursor)
    {
        try
        {
            await SyncPath.FsyncAsync(inode, dataOnly: false, cursor);
            return IoFault.None;
        }
        catch (FileSystemException e)
        {
            return e.Fault;
        }
    }
}

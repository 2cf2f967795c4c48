using Penstock.Devices;
using Penstock.Execution;
using Penstock.Files;
using Penstock.Mapping;
using Penstock.Testing.Files;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

/// <summary>Truncate and fallocate: what they do to the content, against an array, and what they wait for.</summary>
public sealed class BlockChangeTests
{
    [Theory]
    [InlineData(MemoryFileKind.Extents, 1024)]
    [InlineData(MemoryFileKind.Extents, 4096)]
    [InlineData(MemoryFileKind.Extents, 16384)]
    [InlineData(MemoryFileKind.Inline, 1024)]
    [InlineData(MemoryFileKind.BlockMapped, 1024)]
    [InlineData(MemoryFileKind.BlockMapped, 4096)]
    internal void Random_changes_agree_with_an_array(MemoryFileKind kind, int blockSize)
    {
        for (int seed = 0; seed < 6; seed++)
        {
            var fixture = new PagesFixture(blockSize: blockSize, budget: 1 << 20, seed: seed);
            MemoryInode inode = fixture.CreateInode(kind);
            ulong free = fixture.Volume.FreeBlocks;
            fixture.Run(async () =>
            {
                await new FileModel(inode, new Random(seed)).RunAsync(150);
                await TruncatePath.SetSizeAsync(inode, 0);
                await fixture.Volume.Journal.CommitAsync(fixture.Volume.Journal.Running);
            });

            // Nothing leaks: neither blocks, nor reservations, nor the count of what is dirty.
            Assert.Equal(free, fixture.Volume.FreeBlocks);
            Assert.Equal(IoFault.None, inode.Blocks.TryReserve(free));
            Assert.Equal(0, fixture.Cache.DirtyBytes);
            Assert.Equal(0, fixture.Volume.MemoryJournal.OpenHandles);
        }
    }

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.TruncateDrainsGate)]
    internal void Rule_1_21_truncate_waits_for_direct_io_in_flight(Rule broken) =>
        WaitsForTheGate(broken, Rule.TruncateDrainsGate, inode => TruncatePath.SetSizeAsync(inode, 0));

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.PunchDrainsGate)]
    internal void Rule_2_8_punch_hole_waits_for_direct_io_in_flight(Rule broken) =>
        WaitsForTheGate(broken, Rule.PunchDrainsGate, inode => FallocatePath.PunchAsync(inode, 0, 8192));

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.PunchDrainsGate)]
    internal void Rule_2_8_zero_range_waits_for_direct_io_in_flight(Rule broken) =>
        WaitsForTheGate(broken, Rule.PunchDrainsGate, inode => FallocatePath.ZeroRangeAsync(inode, 0, 8192, keepsSize: true));

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.PunchDrainsGate)]
    internal void Rule_2_8_collapse_waits_for_direct_io_in_flight(Rule broken) =>
        WaitsForTheGate(broken, Rule.PunchDrainsGate, inode => FallocatePath.CollapseAsync(inode, 0, 8192));

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.PunchDrainsGate)]
    internal void Rule_2_8_insert_waits_for_direct_io_in_flight(Rule broken) =>
        WaitsForTheGate(broken, Rule.PunchDrainsGate, inode => FallocatePath.InsertAsync(inode, 4096, 8192));

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.FillSharesInvalidationLock)]
    [InlineData(Rule.RemovalExcludesFills)]
    internal void Rule_2_9_a_fill_never_reads_a_block_that_was_freed(Rule broken)
    {
        bool hasSeenPoison = false;
        for (int seed = 0; seed < 20 && !hasSeenPoison; seed++)
        {
            var fixture = new PagesFixture(seed: seed, broken: broken);
            MemoryInode inode = fixture.CreateInode();
            hasSeenPoison = fixture.Scheduler.Run(() => ReadDuringPunchAsync(fixture, inode));
        }

        Assert.Equal(broken != Rule.None, hasSeenPoison);
    }

    [Theory]
    [InlineData(Rule.None)]
    [InlineData(Rule.GapIsZeroed)]
    internal void Rule_2_11_growth_zeroes_what_the_last_block_holds_beyond_the_end(Rule broken)
    {
        var fixture = new PagesFixture(broken: broken);
        MemoryInode inode = fixture.CreateInode();
        bool isZero = fixture.Scheduler.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(100, 1), 0);
            await inode.Pages!.WriteBackAsync(0, long.MaxValue);
            await inode.Pages!.InvalidateAsync(0, long.MaxValue);
            inode.Blocks.TryMap(default, 1, out BlockRun run);
            fixture.Device.Poke(((long)run.Volume.Value * 4096) + 100, PagesFixture.Pattern(3000, 9));
            await TruncatePath.SetSizeAsync(inode, 5000);
            byte[] read = await PagesFixture.ReadAsync(inode, 100, 4900);
            return read.All(b => b == 0);
        });
        Assert.Equal(broken == Rule.None, isZero);
    }

    [Fact]
    public void Truncate_waits_for_writeback_of_the_pages_it_removes()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(40_000, 1), 0);
            fixture.Device.HoldRule = o => o.Operation == DeviceOperation.Write;
            Task<IoFault> writeback = fixture.ForkAsync(() => inode.Pages!.WriteBackAsync(0, long.MaxValue));
            Task truncate = TruncatePath.SetSizeAsync(inode, 5000).AsTask();
            await fixture.SettleAsync();
            Assert.False(truncate.IsCompleted);
            Assert.NotEmpty(fixture.Device.Held);
            fixture.Device.ReleaseAll();
            Assert.Equal(IoFault.None, await writeback);
            await truncate;
            Assert.Equal(5000, inode.Size);
            Assert.Equal(5000, inode.StoredSize);
            Assert.Equal(PagesFixture.Pattern(40_000, 1)[..5000], await PagesFixture.ReadAsync(inode, 0, 40_000));
        });
    }

    [Fact]
    public void Errors_are_those_of_Linux_on_ext4()
    {
        var fixture = new PagesFixture();
        MemoryInode extents = fixture.CreateInode();
        MemoryInode mapped = fixture.CreateInode(MemoryFileKind.BlockMapped);
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(extents, PagesFixture.Pattern(20_000, 1), 0);
            await FailsAsync(IoFault.InvalidArgument, () => FallocatePath.AllocateAsync(extents, 0, 0, keepsSize: true));
            await FailsAsync(IoFault.InvalidArgument, () => FallocatePath.PunchAsync(extents, -1, 10));
            await FailsAsync(IoFault.InvalidArgument, () => FallocatePath.CollapseAsync(extents, 100, 4096));
            await FailsAsync(IoFault.InvalidArgument, () => FallocatePath.CollapseAsync(extents, 4096, 100));
            await FailsAsync(IoFault.InvalidArgument, () => FallocatePath.CollapseAsync(extents, 16384, 4096));
            await FailsAsync(IoFault.InvalidArgument, () => FallocatePath.InsertAsync(extents, 20480, 4096));
            await FailsAsync(IoFault.FileTooLarge, () => FallocatePath.InsertAsync(extents, 4096, 1L << 44));
            await FailsAsync(IoFault.FileTooLarge, () => FallocatePath.AllocateAsync(extents, 1L << 44, 4096, keepsSize: true));
            await FailsAsync(IoFault.FileTooLarge, () => TruncatePath.SetSizeAsync(extents, (1L << 44) + 1));
            await FailsAsync(IoFault.NotSupported, () => FallocatePath.AllocateAsync(mapped, 0, 4096, keepsSize: true));
            await FailsAsync(IoFault.NotSupported, () => FallocatePath.ZeroRangeAsync(mapped, 0, 4096, keepsSize: true));
            await FailsAsync(IoFault.NotSupported, () => FallocatePath.CollapseAsync(mapped, 0, 4096));
            await FailsAsync(IoFault.NotSupported, () => FallocatePath.InsertAsync(mapped, 0, 4096));
            await FailsAsync(IoFault.NoSpace, () => FallocatePath.AllocateAsync(extents, 0, 1L << 30, keepsSize: true));
            Assert.Equal(20_000, extents.Size);
            Assert.Equal(PagesFixture.Pattern(20_000, 1), await PagesFixture.ReadAsync(extents, 0, 30_000));
        });
    }

    [Fact]
    public void Preallocation_keeps_or_extends_the_size_and_reads_as_zeros()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            await FallocatePath.AllocateAsync(inode, 0, 100_000, keepsSize: true);
            Assert.Equal(0, inode.Size);
            Assert.Equal(25, inode.Blocks.BlockCount);
            await FallocatePath.AllocateAsync(inode, 0, 100_000, keepsSize: false);
            Assert.Equal(100_000, inode.Size);
            Assert.Equal(25, inode.Blocks.BlockCount);
            Assert.All(await PagesFixture.ReadAsync(inode, 0, 100_000), b => Assert.Equal(0, b));
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(5000, 1), 50_000);
            await inode.Pages!.WriteBackAsync(0, long.MaxValue);
            await inode.Pages!.InvalidateAsync(0, long.MaxValue);
            Assert.Equal(PagesFixture.Pattern(5000, 1), await PagesFixture.ReadAsync(inode, 50_000, 5000));
            Assert.Equal(25, inode.Blocks.BlockCount);
        });
    }

    [Fact]
    public void Inline_content_is_kept_in_the_inode_until_it_outgrows_it()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode(MemoryFileKind.Inline);
        byte[] expected = [.. PagesFixture.Pattern(50, 1), .. new byte[70]];
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(100, 1), 0);
            await DropAsync(inode);
            await TruncatePath.SetSizeAsync(inode, 50);
            await DropAsync(inode);
            await TruncatePath.SetSizeAsync(inode, 120);
            await DropAsync(inode);
            Assert.Equal(expected, await PagesFixture.ReadAsync(inode, 0, 1000));
            Assert.Equal(120, inode.StoredSize);
            Assert.True(inode.HasInlineData);
            Assert.Empty(fixture.Device.Operations);

            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(5000, 2), 120);
            Assert.False(inode.HasInlineData);
            expected = [.. expected, .. PagesFixture.Pattern(5000, 2)];
            Assert.Equal(expected, await PagesFixture.ReadAsync(inode, 0, 10_000));
            await DropAsync(inode);
            Assert.Equal(expected, await PagesFixture.ReadAsync(inode, 0, 10_000));
        });
    }

    [Fact]
    public void Rule_2_8_a_change_of_the_mappings_kind_drains_direct_io()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode(MemoryFileKind.Inline);
        fixture.Scheduler.Run(async () =>
        {
            await inode.Gate.AcquireSharedAsync();
            Task<IoResult> write = PagesFixture.WriteAsync(inode, PagesFixture.Pattern(5000, 2), 0);
            await fixture.SettleAsync();
            Assert.False(write.IsCompleted);
            inode.Gate.ReleaseShared();
            Assert.Equal(5000, (await write).Bytes);
        });
    }

    private static async Task DropAsync(MemoryInode inode)
    {
        Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
        Assert.True(await inode.Pages!.InvalidateAsync(0, long.MaxValue));
    }

    private static async Task FailsAsync(IoFault fault, Func<ValueTask> change)
    {
        var e = await Assert.ThrowsAsync<FileSystemException>(async () => await change());
        Assert.Equal(fault, e.Fault);
    }

    private static void WaitsForTheGate(Rule broken, Rule rule, Func<Inode, ValueTask> change)
    {
        var fixture = new PagesFixture(broken: broken);
        MemoryInode inode = fixture.CreateInode();
        fixture.Scheduler.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(40_000, 1), 0);
            await inode.Gate.AcquireSharedAsync();
            Task task = change(inode).AsTask();
            await fixture.SettleAsync();
            Assert.Equal(broken == rule, task.IsCompleted);
            inode.Gate.ReleaseShared();
            await task;
            Assert.False(inode.Lock.IsHeld || inode.Gate.IsHeld || inode.Invalidation.IsHeld);
        });
    }

    private static async Task<bool> ReadDuringPunchAsync(PagesFixture fixture, MemoryInode inode)
    {
        await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(64 << 10, 1), 0);
        await inode.Pages!.WriteBackAsync(0, long.MaxValue);
        await inode.Pages!.InvalidateAsync(0, long.MaxValue);
        // Reads are slow: whatever happens to a block meanwhile has happened when the data is taken.
        fixture.Device.Latency = o => o.Operation == DeviceOperation.Read ? TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
        Task punch = PunchAndCommitAsync(fixture, inode);
        Task<byte[]>[] readers = [.. Enumerable.Range(0, 16).Select(i => DelayedReadAsync(fixture, inode, i))];
        await punch;
        byte[][] read = await Task.WhenAll(readers);
        return read.Any(r => r.Contains(MemoryFileSystem.Poison));
    }

    private static async Task<byte[]> DelayedReadAsync(PagesFixture fixture, MemoryInode inode, int delay)
    {
        for (int i = 0; i < delay / 2; i++)
        {
            await fixture.Scheduler.Yield();
        }

        return (await PagesFixture.TryReadAsync(inode, delay * 4096, 4096)).Bytes;
    }

    private static async Task PunchAndCommitAsync(PagesFixture fixture, MemoryInode inode)
    {
        await FallocatePath.PunchAsync(inode, 0, 64 << 10);
        await fixture.Volume.Journal.CommitAsync(fixture.Volume.Journal.Running);
    }
}

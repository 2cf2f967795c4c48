using Penstock.Caching;
using Penstock.Devices;
using Penstock.Testing.InMemory;
using Penstock.Tests.Files;
using Xunit;

namespace Penstock.Tests.Caching;

public sealed class BudgetTests
{
    [Fact]
    public void Files_far_larger_than_the_budget_are_written_and_read_within_it()
    {
        var fixture = new PagesFixture(deviceLength: 8 << 20, budget: 512 << 10);
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(6 << 20, 1);
        OpenFile file = fixture.Volume.Open(inode);
        fixture.Run(async () =>
        {
            Assert.Equal(content.Length, await file.WriteAsync(content, 0));
            var read = new byte[content.Length];
            Assert.Equal(content.Length, await file.ReadAsync(read, 0));
            Assert.Equal(content, read);
        });
        Assert.True(fixture.Cache.UsedBytes <= fixture.Cache.Budget);
        Assert.True(inode.Pages!.Count * 4096 <= fixture.Cache.Budget);
    }

    [Fact]
    public void Several_writers_and_readers_share_a_small_budget_without_standing_still()
    {
        for (int seed = 0; seed < 10; seed++)
        {
            var fixture = new PagesFixture(budget: 256 << 10, seed: seed);
            fixture.Scheduler.Run(() => Task.WhenAll(Enumerable.Range(0, 6).Select(async i =>
            {
                MemoryInode inode = fixture.CreateInode(i % 2 == 0 ? MemoryFileKind.Extents : MemoryFileKind.BlockMapped);
                await fixture.ForkAsync(async () => await WriteAndReadAsync(fixture, inode, i));
            })));
            Assert.True(fixture.Cache.UsedBytes <= fixture.Cache.Budget);
            Assert.Empty(fixture.Scheduler.Recorder!.Violations);
        }
    }

    [Fact]
    public void Page_sizes_take_memory_from_one_another()
    {
        var fixture = new PagesFixture(budget: 512 << 10);
        var large = new PagesFixture.SecondVolume(fixture, blockSize: 65536);
        MemoryInode small = fixture.CreateInode();
        MemoryInode big = large.CreateInode();
        byte[] content = PagesFixture.Pattern(600 << 10, 1);
        fixture.Run(async () =>
        {
            for (int round = 0; round < 4; round++)
            {
                foreach (MemoryInode inode in (MemoryInode[])[small, big])
                {
                    Assert.Equal(IoResult.Transferred(content.Length), await PagesFixture.WriteAsync(inode, content, 0));
                    Assert.Equal(content, await PagesFixture.ReadAsync(inode, 0, content.Length));
                }
            }
        });
        Assert.True(fixture.Cache.UsedBytes <= fixture.Cache.Budget);
    }

    [Fact]
    public void Writers_wait_while_there_is_too_much_dirty_data_and_go_on_when_it_is_written()
    {
        var fixture = new PagesFixture(budget: 512 << 10);
        MemoryInode inode = fixture.CreateInode();
        OpenFile file = fixture.Volume.Open(inode);
        fixture.Run(async () =>
        {
            fixture.Device.HoldRule = o => o.IsWrite;
            await file.WriteAsync(PagesFixture.Pattern(300 << 10, 1), 0);
            Task<int> second = file.WriteAsync(PagesFixture.Pattern(4096, 2), 0).AsTask();
            await fixture.SettleAsync();
            Assert.False(second.IsCompleted);
            Assert.False(inode.Lock.IsHeld);
            fixture.Device.ReleaseAll();
            Assert.Equal(4096, await second);
        });
    }

    [Fact]
    public void A_device_that_takes_nothing_fails_its_writers_instead_of_holding_them_for_ever()
    {
        var fixture = new PagesFixture(budget: 512 << 10);
        MemoryInode inode = fixture.CreateInode();
        OpenFile file = fixture.Volume.Open(inode);
        fixture.Scheduler.Run(async () =>
        {
            fixture.Device.FaultRule = o => o.IsWrite ? IoResult.Failed(IoFault.NoSpace) : null;
            byte[] content = PagesFixture.Pattern(2 << 20, 1);
            int written = await file.WriteAsync(content, 0);
            Assert.InRange(written, 4096, 512 << 10);
            var e = await Assert.ThrowsAsync<FileSystemException>(async () => await file.WriteAsync(content, written));
            Assert.Equal(IoFault.NoSpace, e.Fault);

            // The host has space again: everything that was acknowledged is still there.
            fixture.Device.FaultRule = null;
            Assert.Equal(IoFault.NoSpace, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
            Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
            Assert.True(await inode.Pages!.InvalidateAsync(0, long.MaxValue));
            Assert.Equal(content[..written], await PagesFixture.ReadAsync(inode, 0, written));
        });
    }

    private static async Task<bool> WriteAndReadAsync(PagesFixture fixture, MemoryInode inode, int seed)
    {
        byte[] content = PagesFixture.Pattern(300 << 10, seed);
        for (int round = 0; round < 3; round++)
        {
            Assert.Equal(IoResult.Transferred(content.Length), await PagesFixture.WriteAsync(inode, content, round * 1000));
            Assert.Equal(content, await PagesFixture.ReadAsync(inode, round * 1000, content.Length));
            await fixture.Scheduler.Yield();
        }

        return true;
    }
}

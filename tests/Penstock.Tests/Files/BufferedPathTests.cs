using Penstock.Caching;
using Penstock.Devices;
using Penstock.Files;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

public sealed class BufferedPathTests
{
    [Theory]
    [InlineData(1024)]
    [InlineData(4096)]
    [InlineData(65536)]
    public void What_was_written_is_read_back_from_the_cache_and_from_the_device(int blockSize)
    {
        var fixture = new PagesFixture(blockSize: blockSize);
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(300_000, 1);
        fixture.Run(async () =>
        {
            Assert.Equal(IoResult.Transferred(content.Length), await PagesFixture.WriteAsync(inode, content, 0));
            Assert.Equal(content, await PagesFixture.ReadAsync(inode, 0, content.Length + 5));
            Assert.Equal(0, fixture.Device.Count(DeviceOperation.Write));
            Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
            Assert.True(await inode.Pages!.InvalidateAsync(0, long.MaxValue));
            Assert.True(inode.Pages!.IsEmpty);
            Assert.Equal(content, await PagesFixture.ReadAsync(inode, 0, content.Length));
            Assert.Equal(content.Length, inode.StoredSize);
        });
        Assert.Equal(0, fixture.Cache.DirtyBytes);
    }

    [Theory]
    [InlineData(MemoryFileKind.Extents, 1024)]
    [InlineData(MemoryFileKind.Extents, 4096)]
    [InlineData(MemoryFileKind.BlockMapped, 2048)]
    [InlineData(MemoryFileKind.BlockMapped, 16384)]
    internal void Random_writes_agree_with_an_array(MemoryFileKind kind, int blockSize)
    {
        for (int seed = 0; seed < 4; seed++)
        {
            // A budget far below the file, so that pages come and go.
            var fixture = new PagesFixture(blockSize: blockSize, budget: 512 << 10, seed: seed);
            MemoryInode inode = fixture.CreateInode(kind);
            fixture.Run(() => CompareAsync(inode, new Random(seed)));
            Assert.True(fixture.Cache.UsedBytes <= fixture.Cache.Budget);
        }
    }

    [Fact]
    public void A_cached_read_needs_no_wait_and_no_allocation()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(100_000, 2);
        fixture.Run(async () => await PagesFixture.WriteAsync(inode, content, 0));
        var destination = new byte[10_000];
        Assert.True(BufferedPath.TryReadCached(inode, destination, 77, out _));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            BufferedPath.TryReadCached(inode, destination, 77 + i, out _);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(BufferedPath.TryReadCached(inode, destination, 95_000, out int bytes));
        Assert.Equal(5000, bytes);
        Assert.Equal(content[95_000..], destination[..5000]);
        Assert.True(BufferedPath.TryReadCached(inode, destination, 100_000, out bytes));
        Assert.Equal(0, bytes);
    }

    [Fact]
    public void An_overwrite_of_cached_pages_allocates_nothing()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        using var buffer = new AlignedBuffer(20_000);
        fixture.Run(async () => await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(100_000, 2), 0));
        using var data = Penstock.Memory.SegmentList.Rent([buffer.Segment], isOurs: true);
        Assert.True(inode.Lock.TryAcquireExclusive());
        Assert.True(BufferedPath.WriteAsync(inode, data, 0, 100, 20_000).IsCompletedSuccessfully);
        fixture.Scheduler.Recorder = null;
        bool isWhole = true;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            isWhole &= TakeResult(BufferedPath.WriteAsync(inode, data, 0, 100 + i, 20_000)).Bytes == 20_000;
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(isWhole);
    }

    [Fact]
    public void A_fill_reads_contiguous_blocks_in_one_request_and_holes_in_none()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(64 << 10, 3);
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, content, 0);
            await PagesFixture.WriteAsync(inode, content, 256 << 10);
            await inode.Pages!.WriteBackAsync(0, long.MaxValue);
            await inode.Pages!.InvalidateAsync(0, long.MaxValue);
            fixture.Device.ClearRecord();
            byte[] read = await PagesFixture.ReadAsync(inode, 0, 64 << 10);
            Assert.Equal(content, read);
            Assert.Equal(64 << 10, fixture.Device.Operations.Single().Length);
            Assert.All(await PagesFixture.ReadAsync(inode, 100 << 10, 100 << 10), b => Assert.Equal(0, b));
            Assert.Single(fixture.Device.Operations);
        });
    }

    [Fact]
    public void A_read_error_is_the_readers_and_leaves_no_page()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(64 << 10, 3);
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, content, 0);
            await inode.Pages!.WriteBackAsync(0, long.MaxValue);
            await inode.Pages!.InvalidateAsync(0, long.MaxValue);
            fixture.Device.FailNext(DeviceOperation.Read, IoFault.DeviceFailed, bytes: 8192);
            (byte[] bytes, IoResult result) = await PagesFixture.TryReadAsync(inode, 0, 30_000);
            Assert.Equal(new IoResult(8192, IoFault.DeviceFailed), result);
            Assert.Equal(content[..8192], bytes);
            Assert.Equal(2, inode.Pages!.Count);
            Assert.Equal(content, await PagesFixture.ReadAsync(inode, 0, content.Length));
        });
    }

    /// <summary>The result of a write that needed no wait.</summary>
    private static IoResult TakeResult(ValueTask<IoResult> task) => task.GetAwaiter().GetResult();

    private static async Task CompareAsync(MemoryInode inode, Random random)
    {
        var model = new byte[2 << 20];
        long size = 0;
        for (int step = 0; step < 120; step++)
        {
            int offset = random.Next(model.Length - 70_000);
            int length = random.Next(1, 70_000);
            switch (random.Next(5))
            {
                case 0 or 1:
                    byte[] content = PagesFixture.Pattern(length, step);
                    Assert.Equal(length, (await PagesFixture.WriteAsync(inode, content, offset)).Bytes);
                    content.CopyTo(model, offset);
                    size = Math.Max(size, offset + length);
                    break;
                case 2:
                    Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(offset, length));
                    break;
                case 3:
                    await inode.Pages!.InvalidateAsync(offset, length);
                    break;
                default:
                    int expected = (int)Math.Clamp(size - offset, 0, length);
                    Assert.Equal(model[offset..(offset + expected)], await PagesFixture.ReadAsync(inode, offset, length));
                    break;
            }
        }

        Assert.Equal(size, inode.Size);
        Assert.Equal(IoFault.None, await inode.Pages!.WriteBackAsync(0, long.MaxValue));
        Assert.True(await inode.Pages!.InvalidateAsync(0, long.MaxValue));
        Assert.Equal(model[..(int)size], await PagesFixture.ReadAsync(inode, 0, model.Length));
    }
}

using Penstock.Files;
using Penstock.Testing.InMemory;
using Xunit;

namespace Penstock.Tests.Files;

public sealed class ExtentPathTests
{
    [Theory]
    [InlineData(1024)]
    [InlineData(4096)]
    public void Data_and_holes_are_found_whether_data_is_delayed_written_or_unwritten(int blockSize)
    {
        var fixture = new PagesFixture(blockSize: blockSize);
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(4096, 1), 8192);
            await FallocatePath.AllocateAsync(inode, 16384, 8192, keepsSize: false);
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(4096, 1), 32768);
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(100, 1), 20480);
            for (int round = 0; round < 2; round++)
            {
                Assert.Equal(8192, await ExtentPath.SeekDataAsync(inode, 0));
                Assert.Equal(9000, await ExtentPath.SeekDataAsync(inode, 9000));
                Assert.Equal(0, await ExtentPath.SeekHoleAsync(inode, 0));
                Assert.Equal(12288, await ExtentPath.SeekHoleAsync(inode, 8192));
                Assert.Equal(20480, await ExtentPath.SeekDataAsync(inode, 12288));
                Assert.Equal(20480 + blockSize, await ExtentPath.SeekHoleAsync(inode, 20480));
                Assert.Equal(32768, await ExtentPath.SeekDataAsync(inode, 24576));
                Assert.Equal(36864, await ExtentPath.SeekHoleAsync(inode, 32768));
                await Assert.ThrowsAsync<FileSystemException>(async () => await ExtentPath.SeekDataAsync(inode, 36864));
                await Assert.ThrowsAsync<FileSystemException>(async () => await ExtentPath.SeekHoleAsync(inode, 36864));
                await inode.Pages!.WriteBackAsync(0, long.MaxValue);
                await inode.Pages!.InvalidateAsync(0, long.MaxValue);
            }
        });
    }

    [Fact]
    public void The_map_of_extents_knows_delayed_unwritten_and_last_ones()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(8192, 1), 0);
            await inode.Pages!.WriteBackAsync(0, long.MaxValue);
            await FallocatePath.AllocateAsync(inode, 16384, 8192, keepsSize: true);
            await PagesFixture.WriteAsync(inode, PagesFixture.Pattern(8192, 1), 40960);
            IReadOnlyList<FileExtent> extents = await ExtentPath.MapAsync(inode, 0, long.MaxValue, 100);
            Assert.Equal(3, extents.Count);
            Assert.Equal((0, 8192, FileExtentFlags.None), (extents[0].Offset, extents[0].Length, extents[0].Flags));
            Assert.Equal((16384, 8192, FileExtentFlags.Unwritten), (extents[1].Offset, extents[1].Length, extents[1].Flags));
            Assert.Equal(
                (40960, 8192, FileExtentFlags.Delayed | FileExtentFlags.Last), (extents[2].Offset, extents[2].Length, extents[2].Flags));
            Assert.Equal(4096, extents[0].Device);
        });
    }

    [Fact]
    public void A_range_is_copied_within_a_file_and_between_files()
    {
        var fixture = new PagesFixture();
        MemoryInode source = fixture.CreateInode();
        MemoryInode target = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(2_500_000, 1);
        fixture.Run(async () =>
        {
            await PagesFixture.WriteAsync(source, content, 0);
            Assert.Equal(IoResult.Transferred(2_499_900), await CopyPath.CopyAsync(source, 100, target, 5000, 1L << 40));
            Assert.Equal(content[100..], await PagesFixture.ReadAsync(target, 5000, content.Length));
            Assert.Equal(IoResult.Transferred(1000), await CopyPath.CopyAsync(target, 5000, target, 0, 1000));
            Assert.Equal(content[100..1100], await PagesFixture.ReadAsync(target, 0, 1000));
            Assert.Equal(default, await CopyPath.CopyAsync(source, content.Length, target, 0, 10));
            var e = await Assert.ThrowsAsync<FileSystemException>(async () => await CopyPath.CopyAsync(source, 0, source, 10, 100));
            Assert.Equal(IoFault.InvalidArgument, e.Fault);
        });
    }
}

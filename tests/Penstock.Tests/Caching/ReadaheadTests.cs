using Penstock.Caching;
using Penstock.Devices;
using Penstock.Files;
using Penstock.Testing.InMemory;
using Penstock.Tests.Files;
using Xunit;

namespace Penstock.Tests.Caching;

public sealed class ReadaheadTests
{
    [Fact]
    public void Sequential_windows_double_up_to_a_limit_and_random_reads_get_what_they_ask()
    {
        const int Most = 1 << 20;
        var state = new ReadaheadState();
        Assert.Equal(16, state.OnMiss(0, 1, 4096).Count);
        Assert.Equal(new ReadaheadWindow(16, 32, 16), state.OnMarker(8, 4096, Most));
        Assert.Equal(64, state.OnMarker(16, 4096, Most).Count);
        Assert.Equal(128, state.OnMarker(48, 4096, Most).Count);
        Assert.Equal(256, state.OnMarker(112, 4096, Most).Count);
        Assert.Equal(256, state.OnMarker(240, 4096, Most).Count);
        Assert.Equal(new ReadaheadWindow(5, 3, -1), state.OnMiss(5, 3, 4096));
        Assert.Equal(16, state.OnMiss(8, 1, 4096).Count);
    }

    [Fact]
    public void Windows_longer_than_a_fill_slide_by_one_so_that_the_device_always_has_the_rest_to_do()
    {
        const int Most = 4 << 20;
        const int Fill = PageFill.MaxBytes / 4096;
        var state = new ReadaheadState();
        ReadaheadWindow window = state.OnMiss(0, 1, 4096);
        while (window.Count < Fill)
        {
            window = state.OnMarker(window.First, 4096, Most);
        }

        long ahead = window.First + window.Count;
        for (long marker = window.First; marker < 100 * Fill; marker += Fill)
        {
            window = state.OnMarker(marker, 4096, Most);
            Assert.Equal(ahead, window.First);
            ahead += window.Count;
            Assert.InRange(ahead - marker, 3 * Fill, 5 * Fill);
        }

        Assert.Equal(Fill, window.Count);

        // A marker of elsewhere, after a read of elsewhere.
        Assert.Equal(0, state.OnMarker(5, 4096, Most).Count);
        Assert.Equal(new ReadaheadWindow(7, 3, -1), state.OnMiss(7, 3, 4096));
        Assert.InRange(state.OnMarker(100 * Fill, 4096, Most).Count, 0, Most / 4096);
    }

    [Fact]
    public void A_sequential_reader_finds_the_next_window_read_already()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(2 << 20, 1);
        OpenFile file = fixture.Volume.Open(inode);
        fixture.Run(async () =>
        {
            await PrepareAsync(fixture, inode, content);
            int waits = 0;
            var piece = new byte[4096];
            for (int offset = 0; offset < content.Length; offset += piece.Length)
            {
                bool isCached = inode.Pages!.TryPinUpToDate(offset / 4096) is { } page && Unpin(page);
                waits += isCached ? 0 : 1;
                Assert.Equal(piece.Length, await file.ReadAsync(piece, offset));
                Assert.True(content.AsSpan(offset, piece.Length).SequenceEqual(piece));
                await fixture.SettleAsync();
            }

            // One wait, at the start; large requests; every block once.
            Assert.Equal(1, waits);
            Assert.InRange(fixture.Device.Operations.Count, 5, 12);
            Assert.Equal(content.Length, fixture.Device.Operations.Sum(o => o.Length));
        });
    }

    [Fact]
    public void An_error_in_what_was_read_ahead_is_silent_until_somebody_wants_it()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(256 << 10, 1);
        var readahead = new ReadaheadState();
        fixture.Run(async () =>
        {
            await PrepareAsync(fixture, inode, content);
            fixture.Device.FaultRule = o => o.Operation == DeviceOperation.Read ? new IoResult(8192, IoFault.DeviceFailed) : null;
            Assert.Equal(content[..4096], await PagesFixture.ReadAsync(inode, 0, 4096, readahead));
            Assert.Equal(2, inode.Pages!.Count);
            Assert.Equal(content[4096..8192], await PagesFixture.ReadAsync(inode, 4096, 4096, readahead));
            fixture.Device.FaultRule = o => o.Operation == DeviceOperation.Read ? IoResult.Failed(IoFault.DeviceFailed) : null;
            (_, IoResult result) = await PagesFixture.TryReadAsync(inode, 8192, 4096, readahead);
            Assert.Equal(IoFault.DeviceFailed, result.Fault);
            fixture.Device.FaultRule = null;
            Assert.Equal(content[8192..], await PagesFixture.ReadAsync(inode, 8192, content.Length, readahead));
        });
    }

    [Fact]
    public void Readahead_stops_at_the_end_of_the_file()
    {
        var fixture = new PagesFixture();
        MemoryInode inode = fixture.CreateInode();
        byte[] content = PagesFixture.Pattern(10_000, 1);
        fixture.Run(async () =>
        {
            await PrepareAsync(fixture, inode, content);
            Assert.Equal(content, await PagesFixture.ReadAsync(inode, 0, 1 << 20));
            Assert.Equal(3, inode.Pages!.Count);
        });
    }

    private static bool Unpin(CachePage page)
    {
        page.Unpin();
        return true;
    }

    private static async Task PrepareAsync(PagesFixture fixture, MemoryInode inode, byte[] content)
    {
        await PagesFixture.WriteAsync(inode, content, 0);
        await inode.Pages!.WriteBackAsync(0, long.MaxValue);
        await inode.Pages!.InvalidateAsync(0, long.MaxValue);
        fixture.Device.ClearRecord();
    }
}

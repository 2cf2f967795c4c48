using Penstock.Fuse.Mounting;
using Penstock.Fuse.Session;
using Penstock.Fuse.Transport;
using Penstock.Tests.Fuse.Session;
using Xunit;

namespace Penstock.Tests.Fuse.Mounting;

public sealed class KernelCopiesTests
{
    private const long Page = 4096;

    [Fact]
    public void A_range_is_taken_by_whole_pages_and_only_once()
    {
        var set = new KernelCopies.RangeSet();
        set.Add(0, 8 * Page);
        long offset = (2 * Page) + 512;
        long length = 512;

        Assert.True(set.Take(ref offset, ref length));
        Assert.Equal(((2 * Page) + 512, 512), (offset, length));
        Assert.Equal([(0, 2 * Page), (3 * Page, 8 * Page)], set.Ranges);
        Assert.False(set.Take(ref offset, ref length));
    }

    [Fact]
    public void What_is_not_known_is_taken_whole()
    {
        var set = new KernelCopies.RangeSet();
        set.Add(0, long.MaxValue);
        (long offset, long length) = (Page, Page);

        Assert.True(set.Take(ref offset, ref length));
        Assert.Equal((0, 0), (offset, length));
        Assert.Empty(set.Ranges);
    }

    [Fact]
    public void Ranges_grow_together_and_too_many_become_one()
    {
        var set = new KernelCopies.RangeSet();
        set.Add(0, Page);
        set.Add(2 * Page, 3 * Page);
        set.Add(Page, 2 * Page);
        Assert.Equal([(0, 3 * Page)], set.Ranges);

        for (int i = 2; i < 40; i++)
        {
            set.Add(i * 2 * Page, ((i * 2) + 1) * Page);
        }

        Assert.InRange(set.Ranges.Count, 1, 32);
        (long offset, long length) = (78 * Page, Page);
        Assert.True(set.Take(ref offset, ref length));
    }

    [Fact]
    public async Task The_kernel_drops_what_it_read_while_a_file_is_written_directly_and_nothing_else()
    {
        using var buffers = new WireBufferPool(65536, 1 << 20);
        using var transport = new ScriptedTransport(buffers);
        using var notifier = new FuseNotifier(transport);
        var copies = new KernelCopies();

        copies.NoteRead(5, 0, Page);
        copies.Watch(5);
        await copies.DropAsync(notifier, 5, 0, Page);
        Assert.Single(transport.Notifications);

        copies.Watch(5);
        await copies.DropAsync(notifier, 5, 0, Page);
        Assert.Single(transport.Notifications);

        copies.NoteRead(5, 0, 4 * Page);
        copies.NoteRead(6, 0, Page);
        await copies.DropAsync(notifier, 5, 8 * Page, Page);
        await copies.DropAsync(notifier, 6, 0, Page);
        Assert.Single(transport.Notifications);
        await copies.DropAsync(notifier, 5, 3 * Page, 512);
        Assert.Equal(2, transport.Notifications.Count);
    }
}

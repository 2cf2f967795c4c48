using Penstock.Fuse.Transport;
using Xunit;

namespace Penstock.Tests.Fuse.Transport;

public sealed class WireBufferPoolTests
{
    [Theory]
    [InlineData(0, 4096)]
    [InlineData(4096, 4096)]
    [InlineData(4097, 16384)]
    [InlineData(16385, 131072)]
    [InlineData(131073, 1048576)]
    public unsafe void A_buffer_has_room_and_its_payload_lies_on_a_page(int asked, int given)
    {
        using var pool = new WireBufferPool(1048576, long.MaxValue);
        WireBuffer buffer = pool.Rent(asked);

        Assert.Equal(given, buffer.PayloadCapacity);
        Assert.Equal(0, (long)buffer.Payload % 4096);
        Assert.Equal(80, buffer.Payload - buffer.Start);
        Assert.Equal(given, pool.Used);
        pool.Return(buffer);
        Assert.Equal(0, pool.Used);
        Assert.Same(buffer, pool.Rent(asked));
    }

    [Fact]
    public void A_reader_waits_for_room_and_goes_on_when_a_buffer_comes_back()
    {
        using var pool = new WireBufferPool(1048576, 8192);
        WireBuffer first = pool.Rent(1);
        pool.Rent(1);
        var reader = new Thread(pool.WaitForRoom);
        reader.Start();

        Assert.False(reader.Join(50));
        pool.Return(first);

        Assert.True(reader.Join(TimeSpan.FromSeconds(20)));
    }
}

using System.Buffers;
using Penstock.Memory;
using Xunit;

namespace Penstock.Tests.Memory;

public sealed class SegmentTests
{
    [Fact]
    public void A_list_knows_its_length_and_skips_empty_memory()
    {
        using SegmentList list = SegmentList.Rent(new Memory<byte>[] { new byte[3], default, new byte[5] });
        Assert.Equal(8, list.Length);
        Assert.Equal([3, 5], list.Segments.ToArray().Select(s => s.Length));
        Assert.False(list.IsOurs);
    }

    [Fact]
    public void A_list_grows_past_its_first_segments_and_forgets_them_when_returned()
    {
        Memory<byte>[] many = [.. Enumerable.Range(1, 100).Select(i => new Memory<byte>(new byte[i]))];
        using (SegmentList list = SegmentList.Rent(many))
        {
            Assert.Equal(5050, list.Length);
            Assert.Equal(100, list.Segments.Length);
        }

        using SegmentList next = SegmentList.Rent(new byte[7]);
        Assert.Equal(7, next.Length);
        Assert.Equal(1, next.Segments.Length);
    }

    [Theory]
    [InlineData(0, 8)]
    [InlineData(1, 6)]
    [InlineData(3, 5)]
    [InlineData(7, 1)]
    [InlineData(8, 0)]
    public void Copies_cross_the_borders_of_segments(int start, int length)
    {
        byte[][] parts = [[1, 2, 3], [4], [5, 6, 7, 8]];
        using SegmentList list = SegmentList.Rent(parts.Select(p => new Memory<byte>(p)).ToArray());
        byte[] copy = new byte[length];
        list.CopyTo(start, copy);
        Assert.Equal(Enumerable.Range(start + 1, length).Select(i => (byte)i), copy);

        list.CopyFrom(start, Enumerable.Repeat((byte)99, length).ToArray());
        byte[] all = [.. parts.SelectMany(p => p)];
        Assert.Equal(Enumerable.Range(0, 8).Select(i => i >= start && i < start + length ? (byte)99 : (byte)(i + 1)), all);

        list.Clear(start, length);
        Assert.Equal(length, parts.SelectMany(p => p).Count(b => b == 0));
    }

    [Fact]
    public void A_cursor_hands_out_contiguous_pieces_and_ends()
    {
        using SegmentList list = SegmentList.Rent(new Memory<byte>[] { new byte[10], new byte[4] });
        var cursor = new SegmentCursor(list, 2);
        Assert.Equal(5, cursor.Next(5).Length);
        Assert.Equal(3, cursor.Next(5).Length);
        IoSegment last = cursor.Next(100);
        Assert.Equal(list.Segments[1], last);
        Assert.Throws<InvalidOperationException>(() => cursor.Next(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SegmentCursor(list, 15));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SegmentCursor(list, -1));
    }

    [Fact]
    public void A_cursor_never_hands_out_an_empty_piece()
    {
        using var buffer = new AlignedBuffer(16);
        IoSegment whole = buffer.Segment;
        using SegmentList list = SegmentList.Rent([whole.Slice(0, 4), whole.Slice(4, 0), whole.Slice(4, 12), whole.Slice(16, 0)], isOurs: true);
        Assert.True(list.IsOurs);
        var cursor = new SegmentCursor(list);
        Assert.Equal(4, cursor.Next(8).Length);
        Assert.Equal(8, cursor.Next(8).Length);
        Assert.Equal(4, cursor.Next(8).Length);
        Assert.Throws<InvalidOperationException>(() => cursor.Next(8));
    }

    [Fact]
    public void Alignment_is_of_every_address_and_length()
    {
        using var buffer = new AlignedBuffer(8192, 4096);
        IoSegment whole = buffer.Segment;
        Assert.True(whole.IsAligned(4096));
        Assert.False(whole.Slice(512, 512).IsAligned(4096));
        Assert.True(whole.Slice(512, 512).IsAligned(512));
        Assert.False(whole.Slice(0, 100).IsAligned(512));
        using SegmentList list = SegmentList.Rent([whole.Slice(0, 4096), whole.Slice(4096, 1000)], isOurs: true);
        Assert.False(list.IsAligned(512));
        Assert.True(list.IsAligned(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => whole.Slice(8192, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => whole.Slice(-1, 1));
    }

    [Fact]
    public void Memory_stays_pinned_until_the_list_is_returned()
    {
        var memory = new CountingMemory();
        SegmentList list = SegmentList.Rent(new[] { memory.Memory[..4], memory.Memory[4..] });
        Assert.Equal(2, memory.Pins);
        list.Dispose();
        Assert.Equal(0, memory.Pins);
    }

    [Fact]
    public void Staging_is_a_copy_that_a_later_change_does_not_reach()
    {
        byte[] user = [1, 2, 3, 4, 5, 6];
        using SegmentList source = SegmentList.Rent(user);
        using StagingMemory staging = StagingMemory.Stage(source, 2, 3);
        Array.Fill(user, (byte)9);
        byte[] staged = new byte[3];
        staging.List!.CopyTo(0, staged);
        Assert.Equal([3, 4, 5], staged);
        Assert.True(staging.List.IsOurs);
        Assert.True(staging.List.Segments[0].Address % 4096 == 0);
    }

    [Fact]
    public void Staging_that_finds_no_memory_leaves_nothing_behind()
    {
        using SegmentList source = SegmentList.Rent(new byte[16]);
        for (int i = 0; i < 10; i++)
        {
            StagingMemory.Stage(source, 0, 16).Dispose();
            Assert.ThrowsAny<Exception>(() => StagingMemory.Stage(source, 0, int.MaxValue));
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        StagingMemory.Stage(source, 0, 16).Dispose();
    }

    [Fact]
    public void An_aligned_buffer_is_zeroed_aligned_and_refuses_use_after_dispose()
    {
        foreach (int alignment in (int[])[16, 512, 4096, 65536])
        {
            using var aligned = new AlignedBuffer(1000, alignment);
            Assert.Equal(0, aligned.Segment.Address % alignment);
            Assert.True(aligned.Memory.Span.IndexOfAnyExcept((byte)0) < 0);
            Assert.Equal(1000, aligned.Length);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => new AlignedBuffer(8, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new AlignedBuffer(-1));
        var buffer = new AlignedBuffer(8);
        ((IDisposable)buffer).Dispose();
        ((IDisposable)buffer).Dispose();
        Assert.Throws<ObjectDisposedException>(() => buffer.GetSpan().Length);
        Assert.Throws<ObjectDisposedException>(() => buffer.Pin());
    }

    private sealed class CountingMemory : MemoryManager<byte>
    {
        private readonly AlignedBuffer _inner = new(8);

        public int Pins { get; private set; }

        public override Span<byte> GetSpan() => _inner.GetSpan();

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            Pins++;
            using MemoryHandle handle = _inner.Pin(elementIndex);
            unsafe
            {
                return new MemoryHandle(handle.Pointer, pinnable: this);
            }
        }

        public override void Unpin() => Pins--;

        protected override void Dispose(bool disposing) => ((IDisposable)_inner).Dispose();
    }
}

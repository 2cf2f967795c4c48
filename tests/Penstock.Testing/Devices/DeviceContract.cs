using Penstock.Devices;
using Penstock.Execution;
using Penstock.Memory;
using Xunit;

namespace Penstock.Testing.Devices;

/// <summary>What every <see cref="BlockDevice"/> must do, as tests; a class for each kind of device derives from it.</summary>
public abstract class DeviceContract
{
    private protected const int DeviceLength = 4 << 20;
    private const int Unit = 4096;
    private static readonly ThreadedScheduler s_scheduler = ThreadedScheduler.CreateForTest();

    private protected static ThreadedScheduler Scheduler => s_scheduler;

    [Fact]
    public async Task What_was_never_written_reads_as_zeros()
    {
        await using BlockDevice device = await OpenAsync();
        using var memory = new AlignedBuffer(Unit * 4);
        memory.GetSpan().Fill(0xEE);
        Assert.Equal(IoResult.Transferred(Unit * 4), await device.ReadAsync(device.Length - (Unit * 4), memory.Segment));
        Assert.Equal(-1, memory.GetSpan().IndexOfAnyExcept((byte)0));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(64)]
    [InlineData(1000)]
    public async Task What_is_written_is_read_back_whatever_the_pieces(int pieces)
    {
        await using BlockDevice device = await OpenAsync();
        int unit = Math.Max(512, device.LogicalBlockSize);
        int length = Math.Min(pieces, DeviceLength / unit / 2) * unit;
        using var source = Patterned(length, 1);
        using var target = new AlignedBuffer(length * 2);
        Assert.Equal(IoResult.Transferred(length), await device.WriteAsync(unit, Scattered(source.Segment, unit, 1)));
        Assert.Equal(IoResult.Transferred(length), await device.ReadAsync(unit, Scattered(target.Segment, unit, 2)));
        for (int i = 0; i < length / unit; i++)
        {
            Assert.True(target.GetSpan().Slice(i * 2 * unit, unit).SequenceEqual(source.GetSpan().Slice(i * unit, unit)), $"piece {i}");
        }

        Assert.Equal(IoResult.Transferred(unit), await device.ReadAsync(0, target.Segment.Slice(0, unit)));
        Assert.Equal(-1, target.GetSpan()[..unit].IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task More_pieces_than_one_call_of_the_host_takes_go_through_whole()
    {
        await using BlockDevice device = await OpenAsync();
        int unit = Math.Max(512, device.LogicalBlockSize);
        int pieces = Math.Min(2500, DeviceLength / unit);
        using var source = Patterned(pieces * unit, 7);
        using var target = new AlignedBuffer(pieces * unit);

        // Backwards, so that no two pieces are neighbours and none can be joined.
        IoSegment[] backwards = [.. Scattered(source.Segment, unit, 1).Reverse()];
        Assert.Equal(IoResult.Transferred(pieces * unit), await device.WriteAsync(0, backwards));
        Assert.Equal(IoResult.Transferred(pieces * unit), await device.ReadAsync(0, target.Segment));
        for (int i = 0; i < pieces; i++)
        {
            Assert.True(target.GetSpan().Slice(i * unit, unit).SequenceEqual(backwards[i].Bytes), $"piece {i}");
        }
    }

    [Fact]
    public async Task The_whole_device_goes_in_one_request()
    {
        await using BlockDevice device = await OpenAsync();
        using var source = Patterned((int)device.Length, 3);
        using var target = new AlignedBuffer((int)device.Length);
        Assert.Equal(IoResult.Transferred(device.Length), await device.WriteAsync(0, source.Segment, isThrough: true));
        Assert.Equal(IoResult.Transferred(device.Length), await device.ReadAsync(0, target.Segment));
        Assert.True(source.GetSpan().SequenceEqual(target.GetSpan()));
    }

    [Fact]
    public async Task A_length_of_zero_succeeds_and_does_nothing()
    {
        await using BlockDevice device = await OpenAsync();
        using var memory = new AlignedBuffer(Unit);
        Assert.Equal(IoResult.Transferred(0), await device.ReadAsync(0, memory.Segment.Slice(0, 0)));
        Assert.Equal(IoResult.Transferred(0), await device.WriteAsync(device.Length, []));
        Assert.Equal(IoResult.Transferred(0), await device.DiscardAsync(0, 0));
        Assert.Equal(IoResult.Transferred(0), await device.WriteZeroesAsync(device.Length, 0));
    }

    [Fact]
    public async Task A_range_beyond_the_end_fails_whole()
    {
        await using BlockDevice device = await OpenAsync();
        using var memory = Patterned(Unit * 2, 1);
        Assert.Equal(IoResult.Failed(IoFault.NoSuchRange), await device.WriteAsync(device.Length - Unit, memory.Segment));
        Assert.Equal(IoResult.Failed(IoFault.NoSuchRange), await device.ReadAsync(device.Length, memory.Segment));
        Assert.Equal(IoResult.Failed(IoFault.NoSuchRange), await device.ReadAsync(-Unit, memory.Segment));
        Assert.Equal(IoResult.Failed(IoFault.NoSuchRange), await device.ReadAsync(long.MaxValue - 4095, memory.Segment));
        Assert.Equal(IoResult.Failed(IoFault.NoSuchRange), await device.DiscardAsync(Unit, device.Length));
        Assert.Equal(IoResult.Failed(IoFault.NoSuchRange), await device.WriteZeroesAsync(device.Length, Unit));
        Assert.Equal(IoResult.Transferred(Unit), await device.ReadAsync(device.Length - Unit, memory.Segment.Slice(0, Unit)));
        Assert.Equal(-1, memory.GetSpan()[..Unit].IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task What_is_misaligned_fails_whole()
    {
        await using BlockDevice device = await OpenAsync();
        using var memory = Patterned(Unit * 2, 1);
        int half = device.LogicalBlockSize / 2;
        Assert.SkipUnless(half > 0, "The device takes any offset.");
        IoResult invalid = IoResult.Failed(IoFault.InvalidArgument);
        Assert.Equal(invalid, await device.WriteAsync(half, memory.Segment.Slice(0, Unit)));
        Assert.Equal(invalid, await device.WriteAsync(0, memory.Segment.Slice(0, Unit - half)));
        Assert.Equal(invalid, await device.WriteAsync(0, [memory.Segment.Slice(0, half), memory.Segment.Slice(Unit, half)]));
        Assert.Equal(invalid, await device.WriteZeroesAsync(half, Unit));
        if (device.MemoryAlignment > 1)
        {
            Assert.Equal(invalid, await device.WriteAsync(0, memory.Segment.Slice(device.MemoryAlignment / 2, Unit)));
        }

        Assert.Equal(IoResult.Transferred(Unit), await device.ReadAsync(0, memory.Segment.Slice(0, Unit)));
        Assert.Equal(-1, memory.GetSpan()[..Unit].IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task Zeros_are_written_where_asked_and_nowhere_else()
    {
        await using BlockDevice device = await OpenAsync();
        int unit = Math.Max(512, device.LogicalBlockSize);
        using var memory = Patterned(DeviceLength, 5);
        await device.WriteAsync(0, memory.Segment);
        long length = DeviceLength - (2 * unit);
        Assert.Equal(IoResult.Transferred(length), await device.WriteZeroesAsync(unit, length));
        using var target = new AlignedBuffer(DeviceLength);
        Assert.Equal(IoResult.Transferred(DeviceLength), await device.ReadAsync(0, target.Segment));
        Assert.True(target.GetSpan()[..unit].SequenceEqual(memory.GetSpan()[..unit]));
        Assert.Equal(-1, target.GetSpan().Slice(unit, (int)length).IndexOfAnyExcept((byte)0));
        Assert.True(target.GetSpan()[^unit..].SequenceEqual(memory.GetSpan()[^unit..]));
    }

    [Fact]
    public async Task A_discard_spares_its_neighbours_and_the_range_can_be_written_again()
    {
        await using BlockDevice device = await OpenAsync();
        using var memory = Patterned(DeviceLength, 6);
        await device.WriteAsync(0, memory.Segment);
        Assert.Equal(IoResult.Transferred(1 << 20), await device.DiscardAsync(1 << 20, 1 << 20));
        using var target = new AlignedBuffer(DeviceLength);
        Assert.Equal(IoResult.Transferred(DeviceLength), await device.ReadAsync(0, target.Segment));
        Assert.True(target.GetSpan()[..(1 << 20)].SequenceEqual(memory.GetSpan()[..(1 << 20)]));
        Assert.True(target.GetSpan()[(2 << 20)..].SequenceEqual(memory.GetSpan()[(2 << 20)..]));
        Assert.Equal(IoResult.Transferred(1 << 20), await device.WriteAsync(1 << 20, memory.Segment.Slice(0, 1 << 20)));
        Assert.Equal(IoResult.Transferred(1 << 20), await device.ReadAsync(1 << 20, target.Segment.Slice(0, 1 << 20)));
        Assert.True(target.GetSpan()[..(1 << 20)].SequenceEqual(memory.GetSpan()[..(1 << 20)]));
    }

    [Fact]
    public async Task Flushes_succeed_many_at_once()
    {
        await using BlockDevice device = await OpenAsync();
        using var memory = Patterned(Unit, 1);
        await device.WriteAsync(0, memory.Segment);
        Task<IoResult>[] flushes = [.. Enumerable.Range(0, 20).Select(_ => device.FlushAsync().AsTask())];
        Assert.All(await Task.WhenAll(flushes), result => Assert.False(result.IsFailed));
    }

    [Fact]
    public async Task A_request_completes_once_in_a_core_place_and_not_inside_its_submission()
    {
        await using BlockDevice device = await OpenAsync();
        using var memory = new AlignedBuffer(Unit);
        DeviceOperation[] operations =
            [DeviceOperation.Read, DeviceOperation.Write, DeviceOperation.WriteThrough, DeviceOperation.Flush, DeviceOperation.Discard, DeviceOperation.WriteZeroes];
        foreach (DeviceOperation operation in operations)
        {
            foreach (long offset in (long[])[0, -Unit])
            {
                var owner = new RecordingOwner(device.Scheduler);
                DeviceRequest request = DeviceRequest.Rent(operation, offset, 0);
                if (request.IsTransfer)
                {
                    request.Append(memory.Segment);
                }

                request.SetOwner(owner);
                owner.Submit(device, request);
                await owner.Completed.WaitAsync(TimeSpan.FromSeconds(20));
                owner.AssertOrderly();
            }
        }
    }

    [Fact]
    public async Task Many_threads_at_once_see_their_own_writes()
    {
        await using BlockDevice device = await OpenAsync();
        const int Workers = 8;
        long share = device.Length / Workers;
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(() => WorkAsync(device, worker, worker * share, share))));
    }

    [Fact]
    public async Task Closing_waits_for_what_is_in_flight_and_refuses_what_comes_after()
    {
        BlockDevice device = await OpenAsync();
        using var memory = Patterned(Unit, 1);
        ValueTask<IoResult>[] writes = [.. Enumerable.Range(0, 100).Select(i => device.WriteAsync(i * Unit, memory.Segment))];
        await device.DisposeAsync();
        foreach (ValueTask<IoResult> write in writes)
        {
            Assert.True(write.IsCompleted);
            Assert.Equal(IoResult.Transferred(Unit), await write);
        }

        Assert.True((await device.ReadAsync(0, memory.Segment)).IsFailed);
        Assert.True((await device.FlushAsync()).IsFailed);
        await device.DisposeAsync();
    }

    /// <summary>Opens a device of <see cref="DeviceLength"/> bytes, all zero.</summary>
    private protected abstract ValueTask<BlockDevice> OpenAsync();

    private protected static AlignedBuffer Patterned(int length, int seed)
    {
        var buffer = new AlignedBuffer(length);
        new Random(seed).NextBytes(buffer.GetSpan());
        return buffer;
    }

    private static IoSegment[] Scattered(IoSegment memory, int unit, int stride) =>
        [.. Enumerable.Range(0, memory.Length / unit / stride).Select(i => memory.Slice(i * unit * stride, unit))];

    private static async Task WorkAsync(BlockDevice device, int worker, long start, long length)
    {
        var random = new Random(worker);
        int unit = Math.Max(512, device.LogicalBlockSize);
        int blocks = (int)(length / unit);
        var stamps = new byte[blocks];
        using var memory = new AlignedBuffer(unit * 8);
        for (int i = 0; i < 150; i++)
        {
            int first = random.Next(blocks);
            int count = random.Next(1, Math.Min(8, blocks - first) + 1);
            IoSegment segment = memory.Segment.Slice(0, count * unit);
            if (random.Next(2) == 0)
            {
                byte stamp = (byte)random.Next(1, 256);
                segment.Bytes.Fill(stamp);
                Assert.Equal(IoResult.Transferred(segment.Length), await device.WriteAsync(start + (first * unit), segment));
                stamps.AsSpan(first, count).Fill(stamp);
            }
            else
            {
                Assert.Equal(IoResult.Transferred(segment.Length), await device.ReadAsync(start + (first * unit), segment));
                for (int block = 0; block < count; block++)
                {
                    Assert.Equal(-1, segment.Bytes.Slice(block * unit, unit).IndexOfAnyExcept(stamps[first + block]));
                }
            }
        }
    }

    private sealed class RecordingOwner(Scheduler scheduler) : IDeviceRequestOwner
    {
        private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _completions;
        private int _submitter;
        private bool _wasInsideSubmission;
        private bool _wasUserPlace;

        public Task Completed => _completed.Task;

        public void Submit(BlockDevice device, DeviceRequest request)
        {
            Volatile.Write(ref _submitter, Environment.CurrentManagedThreadId);
            device.Submit(request);
            Volatile.Write(ref _submitter, 0);
        }

        public void RequestCompleted(DeviceRequest request, IoResult result)
        {
            _wasInsideSubmission |= Volatile.Read(ref _submitter) == Environment.CurrentManagedThreadId;
            _wasUserPlace |= scheduler.MayTouchUserMemory;
            _completions++;
            request.Return();
            _completed.TrySetResult();
        }

        public void AssertOrderly()
        {
            Assert.False(_wasInsideSubmission);
            Assert.False(_wasUserPlace);
            Assert.Equal(1, _completions);
        }
    }
}

using Penstock.Devices;
using Penstock.Execution;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Devices;

public sealed class WrapperTests
{
    private const int Length = 1 << 20;

    [Fact]
    public async Task A_read_only_face_lets_nothing_through_not_even_a_flush()
    {
        await using var inner = new SimulatedDevice(Scheduler.Default, Length);
        await using var device = new ReadOnlyDevice(inner);
        using var memory = new AlignedBuffer(4096);
        Assert.True(device.IsReadOnly);
        Assert.Equal(IoResult.Failed(IoFault.ReadOnly), await device.WriteAsync(0, memory.Segment));
        Assert.Equal(IoResult.Failed(IoFault.ReadOnly), await device.WriteZeroesAsync(0, 4096));
        Assert.Equal(IoResult.Failed(IoFault.ReadOnly), await device.DiscardAsync(0, 4096));
        Assert.Equal(IoResult.Transferred(0), await device.FlushAsync());
        Assert.Equal(IoResult.Transferred(4096), await device.ReadAsync(0, memory.Segment));
        Assert.Equal([DeviceOperation.Read], inner.Operations.Select(o => o.Operation));
    }

    [Fact]
    public async Task Misfortunes_happen_as_ruled_short_transfers_too()
    {
        await using var inner = new MemoryDevice("memory", Scheduler.Default, Length);
        await using var device = new FaultyDevice(inner)
        {
            Rule = request => request.Operation == DeviceOperation.Write ? new Misfortune(IoFault.DeviceFailed, 1024) : null,
        };
        using var memory = new AlignedBuffer(4096);
        memory.GetSpan().Fill(5);
        IoResult result = await device.WriteAsync(0, [memory.Segment.Slice(0, 512), memory.Segment.Slice(1024, 2048)]);
        Assert.Equal(new IoResult(1024, IoFault.DeviceFailed), result);
        Assert.Equal(IoResult.Transferred(4096), await device.ReadAsync(0, memory.Segment));
        Assert.Equal(1024, memory.GetSpan().IndexOf((byte)0));
    }

    [Fact]
    public async Task What_is_stalled_waits_and_then_goes_on()
    {
        await using var device = new FaultyDevice(new MemoryDevice("memory", Scheduler.Default, Length))
        {
            Rule = request => new Misfortune(IoFault.None, IsStalled: true),
        };
        using var memory = new AlignedBuffer(512);
        ValueTask<IoResult> read = device.ReadAsync(0, memory.Segment);
        Assert.Equal(1, device.StalledCount);
        Assert.False(read.IsCompleted);
        device.Release();
        Assert.Equal(IoResult.Transferred(512), await read);
    }

    [Fact]
    public async Task A_failed_flush_stays_failed_behind_a_wrapper()
    {
        await using var device = new FaultyDevice(new MemoryDevice("memory", Scheduler.Default, Length));
        Assert.False((await device.FlushAsync()).IsFailed);
        device.Rule = _ => new Misfortune(IoFault.NoSpace);
        Assert.Equal(IoResult.Failed(IoFault.NoSpace), await device.FlushAsync());
        device.Rule = null;
        Assert.Equal(IoResult.Failed(IoFault.DeviceFailed), await device.FlushAsync());
    }

    [Fact]
    public void A_failed_write_through_spoils_later_flushes_only_if_the_device_failed()
    {
        var latch = new FlushLatch();
        latch.Observe(DeviceOperation.WriteThrough, IoFault.NoSpace);
        latch.Observe(DeviceOperation.Write, IoFault.DeviceFailed);
        Assert.False(latch.Judge(IoFault.None).IsFailed);
        latch.Observe(DeviceOperation.WriteThrough, IoFault.DeviceFailed);
        Assert.True(latch.Judge(IoFault.None).IsFailed);
    }

    [Fact]
    public async Task Small_blocks_spare_their_neighbours_in_the_real_block()
    {
        await using var inner = new SimulatedDevice(Scheduler.Default, Length, logicalBlockSize: 4096, memoryAlignment: 512);
        await using BlockDevice device = SubBlockDevice.For(inner, 512);
        Assert.Same(inner, SubBlockDevice.For(inner, 4096));
        inner.Poke(0, [.. Enumerable.Repeat((byte)1, 16384)]);
        using var memory = new AlignedBuffer(8192);
        memory.GetSpan().Fill(2);
        Assert.Equal(IoResult.Transferred(5120), await device.WriteAsync(3584, memory.Segment.Slice(0, 5120), isThrough: true));
        byte[] content = inner.Peek(0, 16384);
        Assert.Equal(3584, content.AsSpan().IndexOf((byte)2));
        Assert.Equal(3584 + 5120, content.AsSpan(3584).IndexOf((byte)1) + 3584);
        Assert.Equal(-1, content.AsSpan(3584 + 5120).IndexOfAnyExcept((byte)1));
        Assert.Equal(0, inner.Count(DeviceOperation.Write));
    }

    [Fact]
    public async Task Whole_blocks_go_straight_through()
    {
        await using var inner = new SimulatedDevice(Scheduler.Default, Length, logicalBlockSize: 4096, memoryAlignment: 512);
        await using BlockDevice device = SubBlockDevice.For(inner, 512);
        using var memory = new AlignedBuffer(8192);
        await device.WriteAsync(4096, memory.Segment);
        await device.ReadAsync(4096, memory.Segment);
        Assert.Equal([DeviceOperation.Write, DeviceOperation.Read], inner.Operations.Select(o => o.Operation));
    }

    [Fact]
    public async Task Two_small_writes_to_one_real_block_both_survive()
    {
        await using var inner = new SimulatedDevice(Scheduler.Default, Length, logicalBlockSize: 4096, memoryAlignment: 512);
        await using BlockDevice device = SubBlockDevice.For(inner, 512);
        using var memory = new AlignedBuffer(8 * 512);
        Task<IoResult>[] writes = [.. Enumerable.Range(0, 8).Select(i =>
        {
            memory.Segment.Slice(i * 512, 512).Bytes.Fill((byte)(i + 1));
            return device.WriteAsync(i * 512, memory.Segment.Slice(i * 512, 512)).AsTask();
        })];
        Assert.All(await Task.WhenAll(writes), result => Assert.Equal(IoResult.Transferred(512), result));
        Assert.Equal(memory.GetSpan().ToArray(), inner.Peek(0, 4096));
    }

    [Fact]
    public async Task A_read_that_fails_in_the_middle_of_a_change_fails_the_write_and_frees_the_queue()
    {
        await using var inner = new SimulatedDevice(Scheduler.Default, Length, logicalBlockSize: 4096, memoryAlignment: 512);
        await using BlockDevice device = SubBlockDevice.For(inner, 512);
        using var memory = new AlignedBuffer(512);
        inner.FailNext(DeviceOperation.Read, IoFault.DeviceFailed);
        Assert.Equal(IoResult.Failed(IoFault.DeviceFailed), await device.WriteAsync(512, memory.Segment));
        Assert.Equal(IoResult.Transferred(512), await device.WriteAsync(512, memory.Segment));
    }
}

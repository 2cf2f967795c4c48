using Penstock.Devices;
using Penstock.Testing.Devices;
using Penstock.Testing.Execution;
using Xunit;

namespace Penstock.Tests.Testing;

public sealed class SimulatedDeviceTests : IDisposable
{
    private readonly ManualScheduler _scheduler = new();
    private readonly SimulatedDevice _device;
    private readonly AlignedBuffer _buffer = new(4096);

    public SimulatedDeviceTests() => _device = new SimulatedDevice(_scheduler, 1 << 20);

    public void Dispose() => ((IDisposable)_buffer).Dispose();

    [Fact]
    public void What_is_written_is_read() => _scheduler.Run(async () =>
    {
        _buffer.GetSpan().Fill(7);
        Assert.Equal(IoResult.Transferred(4096), await _device.WriteAsync(8192, _buffer.Segment));
        _buffer.GetSpan().Clear();
        Assert.Equal(IoResult.Transferred(4096), await _device.ReadAsync(8192, _buffer.Segment));
        Assert.True(_buffer.GetSpan().IndexOfAnyExcept((byte)7) < 0);
        Assert.Equal(2, _device.Operations.Count);
    });

    [Fact]
    public void A_fault_stops_a_transfer_after_the_bytes_it_says() => _scheduler.Run(async () =>
    {
        _buffer.GetSpan().Fill(7);
        _device.FailNext(DeviceOperation.Write, IoFault.DeviceFailed, bytes: 512);
        Assert.Equal(new IoResult(512, IoFault.DeviceFailed), await _device.WriteAsync(0, _buffer.Segment));
        Assert.Equal(7, _device.Peek(511, 1)[0]);
        Assert.Equal(0, _device.Peek(512, 1)[0]);
        Assert.Equal(IoResult.Transferred(4096), await _device.WriteAsync(0, _buffer.Segment));
    });

    [Fact]
    public void Held_operations_complete_in_the_order_of_their_release() => _scheduler.Run(async () =>
    {
        _device.HoldRule = _ => true;
        ValueTask<IoResult> first = _device.ReadAsync(0, _buffer.Segment);
        ValueTask<IoResult> second = _device.ReadAsync(4096, _buffer.Segment);
        _scheduler.RunUntilIdle();
        Assert.False(first.IsCompleted || second.IsCompleted);
        _device.Release(_device.Held[1]);
        await second;
        Assert.False(first.IsCompleted);
        _device.ReleaseAll();
        await first;
    });

    [Fact]
    public void A_failed_flush_is_for_ever() => _scheduler.Run(async () =>
    {
        _device.FailNext(DeviceOperation.Flush, IoFault.DeviceFailed);
        Assert.True((await _device.FlushAsync()).IsFailed);
        Assert.True((await _device.FlushAsync()).IsFailed);
    });

    [Fact]
    public void A_power_loss_keeps_what_was_flushed_and_of_the_rest_what_luck_says() => _scheduler.Run(async () =>
    {
        _buffer.GetSpan().Fill(1);
        await _device.WriteAsync(0, _buffer.Segment);
        await _device.FlushAsync();
        _buffer.GetSpan().Fill(2);
        await _device.WriteAsync(0, _buffer.Segment);
        Assert.Equal(1, _device.AfterPowerLoss(_scheduler).Peek(0, 1)[0]);
        SimulatedDevice torn = _device.AfterPowerLoss(_scheduler, offset => offset >= 512);
        Assert.Equal(1, torn.Peek(511, 1)[0]);
        Assert.Equal(2, torn.Peek(512, 1)[0]);
    });

    [Fact]
    public void A_flush_keeps_no_write_that_had_not_completed_when_it_was_submitted() => _scheduler.Run(async () =>
    {
        _buffer.GetSpan().Fill(1);
        _device.HoldRule = o => o.Operation == DeviceOperation.Flush;
        ValueTask<IoResult> flush = _device.FlushAsync();
        await _device.WriteAsync(0, _buffer.Segment);
        _device.ReleaseAll();
        await flush;
        Assert.Equal(0, _device.AfterPowerLoss(_scheduler).Peek(0, 1)[0]);
    });

    [Fact]
    public void A_write_through_survives_and_is_not_undone_by_an_older_write() => _scheduler.Run(async () =>
    {
        _buffer.GetSpan().Fill(1);
        await _device.WriteAsync(0, _buffer.Segment);
        _buffer.GetSpan().Fill(2);
        await _device.WriteAsync(0, _buffer.Segment, isThrough: true);
        Assert.Equal(2, _device.AfterPowerLoss(_scheduler).Peek(0, 1)[0]);
        Assert.Equal(2, _device.AfterPowerLoss(_scheduler, _ => true).Peek(0, 1)[0]);
    });
}

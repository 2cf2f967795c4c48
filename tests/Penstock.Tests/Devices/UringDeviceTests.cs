using Penstock.Devices;
using Penstock.Devices.Host;
using Penstock.Devices.Rings;
using Penstock.Execution;
using Penstock.Memory;
using Penstock.Tests.Uring;
using Penstock.Uring;
using Xunit;

namespace Penstock.Tests.Devices;

public sealed class UringDeviceTests : IDisposable
{
    private const int Length = 1 << 20;

    private static readonly DeviceGeometry s_special = new()
    {
        Length = Length,
        LogicalBlockSize = 512,
        PhysicalBlockSize = 4096,
        MemoryAlignment = 512,
        IsReadOnly = false,
        CanDiscard = true,
        IsBlockDevice = false,
    };

    private readonly TemporaryFile _file = new(Length);
    private readonly AlignedBuffer _memory = new(64 << 10);

    [Fact]
    public async Task A_ring_is_used_where_there_is_one_and_the_description_says_so()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        Assert.SkipUnless(device is UringDevice, device.Description);
        Assert.StartsWith("io_uring, O_DIRECT, ", device.Description, StringComparison.Ordinal);
        Assert.Equal(Errno.None, HostFile.GetStatus(_file.Path, out FileStatus status));
        Assert.Equal(Length, device.Length);
        using HostFile file = _file.Open(HostOpenFlags.ReadOnly);
        Assert.Equal(Errno.None, file.GetStatus(out status));
        Assert.Equal(status.DirectOffsetAlignment, device.LogicalBlockSize);
        Assert.Equal(status.DirectMemoryAlignment, device.MemoryAlignment);
    }

    [Fact]
    public async Task Registered_memory_goes_there_and_back()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        using var first = device.RentBuffer(16 << 10);
        using var second = device.RentBuffer(16 << 10);
        Assert.SkipUnless(first.PlainReason is null && second.PlainReason is null, first.PlainReason ?? second.PlainReason ?? string.Empty);
        first.GetSpan().Fill(0x21);
        Assert.Equal(IoResult.Transferred(8192), await device.WriteAsync(4096, first.Segment.Slice(4096, 8192)));
        Assert.Equal(IoResult.Transferred(4096), await device.WriteAsync(12288, first.Segment.Slice(0, 4096), isThrough: true));
        Assert.Equal(IoResult.Transferred(16384), await device.ReadAsync(0, second.Segment));
        Assert.Equal(4096, second.GetSpan().IndexOf((byte)0x21));
        Assert.Equal(-1, second.GetSpan()[4096..].IndexOfAnyExcept((byte)0x21));
    }

    [Fact]
    public void The_table_of_registered_memory_finds_whole_segments_only_and_uses_its_slots_again()
    {
        using Ring ring = Ring.Create(new RingOptions(4, IsShared: true));
        var table = new RegisteredBuffers(ring);
        AlignedBuffer[] buffers = [.. Enumerable.Range(0, RegisteredBuffers.Capacity + 1).Select(_ => new AlignedBuffer(8192))];
        Errno error = table.Add(buffers[0].Segment);
        Assert.SkipUnless(error == Errno.None, error.ToString());
        Assert.All(buffers[1..^1], buffer => Assert.Equal(Errno.None, table.Add(buffer.Segment)));
        Assert.Equal(Errno.ENOSPC, table.Add(buffers[^1].Segment));
        Assert.Equal(-1, table.Find(buffers[^1].Segment));
        Assert.Equal(RegisteredBuffers.Capacity, buffers[..^1].Select(buffer => table.Find(buffer.Segment.Slice(4096, 4096))).Distinct().Count());
        Assert.Equal(-1, table.Find(new IoSegment(buffers[7].Segment.Address + 4096, 8192)));
        Assert.Equal(-1, table.Find(new IoSegment(buffers[7].Segment.Address - 1, 2)));

        int slot = table.Find(buffers[7].Segment);
        table.Remove(buffers[7].Segment);
        Assert.Equal(-1, table.Find(buffers[7].Segment));
        Assert.Equal(Errno.None, table.Add(buffers[^1].Segment));
        Assert.Equal(slot, table.Find(buffers[^1].Segment));
        table.Close();
        table.Remove(buffers[^1].Segment);
        Array.ForEach(buffers, buffer => ((IDisposable)buffer).Dispose());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public async Task A_user_who_blocks_makes_the_transfer_himself(int pieces)
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        Assert.SkipUnless(device is UringDevice, device.Description);
        int unit = Math.Max(device.LogicalBlockSize, device.MemoryAlignment);
        using var buffer = new AlignedBuffer(pieces * 2 * unit);
        IoSegment[] segments = [.. Enumerable.Range(0, pieces).Select(i => buffer.Segment.Slice(i * 2 * unit, unit))];
        byte[] content = new byte[pieces * unit];
        new Random(pieces).NextBytes(content);
        for (int i = 0; i < pieces; i++)
        {
            content.AsSpan(i * unit, unit).CopyTo(segments[i].Bytes);
        }

        Assert.Equal(IoResult.Transferred(content.Length), await BlockAsync(() => device.WriteAsync(8192, segments, isThrough: pieces > 1)));
        buffer.Memory.Span.Clear();
        Assert.Equal(IoResult.Transferred(content.Length), await BlockAsync(() => device.ReadAsync(8192, segments)));
        Assert.Equal(content, segments.SelectMany(s => s.Bytes.ToArray()));
        buffer.Memory.Span.Clear();
        Assert.Equal(IoResult.Transferred(content.Length), await device.ReadAsync(8192, segments));
        Assert.Equal(content, segments.SelectMany(s => s.Bytes.ToArray()));
    }

    [Fact]
    public async Task A_user_who_blocks_is_told_what_the_host_says()
    {
        await using UringDevice full = OpenSpecial("/dev/full");
        Assert.Equal(IoResult.Failed(IoFault.NoSpace), await BlockAsync(() => full.WriteAsync(0, _memory.Segment)));
        Assert.Equal(IoResult.Transferred(_memory.Length), await BlockAsync(() => full.ReadAsync(0, _memory.Segment)));

        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        Assert.SkipUnless(device is UringDevice, device.Description);
        using HostFile cut = _file.Open(HostOpenFlags.ReadWrite);
        Assert.Equal(Errno.None, cut.SetLength(12288));
        Assert.Equal(new IoResult(4096, IoFault.DeviceFailed), await BlockAsync(() => device.ReadAsync(8192, _memory.Segment.Slice(0, 8192))));
    }

    /// <summary>The request is over when the call is, on the same thread.</summary>
    private static Task<IoResult> BlockAsync(Func<ValueTask<IoResult>> request) => Task.Run(() =>
    {
        Assert.True(Scheduler.Default.TryOpenCallerRow(blocks: true));
        ValueTask<IoResult> task = request();
        Assert.False(task.IsCompleted);
        Scheduler.Default.CloseCallerRow();
        Assert.True(task.IsCompleted);
        return task.GetAwaiter().GetResult();
    });

    [Fact]
    public async Task A_host_without_space_is_no_space_and_not_a_failed_device()
    {
        await using UringDevice device = OpenSpecial("/dev/full");
        Assert.Equal(IoResult.Failed(IoFault.NoSpace), await device.WriteAsync(0, _memory.Segment));
        Assert.Equal(IoResult.Transferred(_memory.Length), await device.ReadAsync(0, _memory.Segment));
    }

    [Fact]
    public async Task After_a_failed_flush_every_flush_fails()
    {
        // The special file has no fdatasync: the host's own error, not a made-up one.
        await using UringDevice device = OpenSpecial("/dev/zero");
        Assert.Equal(IoResult.Transferred(4096), await device.WriteAsync(0, _memory.Segment.Slice(0, 4096)));
        Task<IoResult>[] together = [.. Enumerable.Range(0, 8).Select(_ => device.FlushAsync().AsTask())];
        Assert.All(await Task.WhenAll(together), result => Assert.True(result.IsFailed));
        Assert.Equal(IoResult.Failed(IoFault.DeviceFailed), await device.FlushAsync());
        Assert.Equal(IoResult.Transferred(4096), await device.WriteAsync(0, _memory.Segment.Slice(0, 4096)));
        Assert.Equal(IoResult.Failed(IoFault.DeviceFailed), await device.FlushAsync());
    }

    [Fact]
    public void A_host_that_cannot_zero_a_range_gets_zeros_written()
    {
        // No host at hand answers EOPNOTSUPP to fallocate and takes writes all the same, so the step is driven by hand.
        using Ring ring = Ring.Create(new RingOptions(8));
        using var step = new TransferStep(512, new RegisteredBuffers(ring));
        Assert.Equal(Errno.None, ring.Start());
        Assert.True(ring.TryTake(out Submission submission));
        DeviceRequest request = DeviceRequest.Rent(DeviceOperation.WriteZeroes, 512, 1 << 20);
        var slot = new Penstock.Devices.Rings.RingSlots.Slot { Request = request, WritesZeroes = true };
        request.Progress = 1024;
        step.Prepare(submission, ref slot, 7);
        Assert.Equal(RingOperation.Write, submission.Entry.Operation);
        Assert.Equal(512ul + 1024, submission.Entry.Offset);
        Assert.Equal(slot.Expected, (int)submission.Entry.Length);
        Assert.True(slot.Expected is > 0 and <= (1 << 20) - 1024);
        request.Return();
    }

    [Fact]
    public async Task A_file_that_became_shorter_is_a_short_read_with_a_fault()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        using (HostFile file = _file.Open(HostOpenFlags.ReadWrite))
        {
            Assert.Equal(Errno.None, file.SetLength(8192));
        }

        Assert.Equal(new IoResult(8192, IoFault.DeviceFailed), await device.ReadAsync(0, _memory.Segment));
        IoSegment[] pieces = [_memory.Segment.Slice(8192, 4096), _memory.Segment.Slice(0, 8192)];
        Assert.Equal(new IoResult(8192, IoFault.DeviceFailed), await device.ReadAsync(0, pieces));
        Assert.Equal(new IoResult(0, IoFault.DeviceFailed), await device.ReadAsync(16384, _memory.Segment));
    }

    [Fact]
    public async Task More_requests_than_the_ring_holds_wait_their_turn()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        using var memory = new AlignedBuffer(4096);
        Task<IoResult>[] reads = [.. Enumerable.Range(0, 3000).Select(i => device.ReadAsync(i % 256 * 4096, memory.Segment).AsTask())];
        Assert.All(await Task.WhenAll(reads), result => Assert.Equal(IoResult.Transferred(4096), result));
    }

    [Fact]
    public async Task Steady_state_allocates_nothing()
    {
        await using BlockDevice device = await DeviceOpener.OpenAsync(_file.Path, new DeviceOptions());
        Assert.SkipUnless(device is UringDevice, device.Description);
        Assert.Equal(0, await CountAllocationsAsync(device, 5000));
    }

    [Fact]
    public async Task A_portable_device_latches_its_flush_and_reports_no_space_too()
    {
        HostFile full = HostFile.Open("/dev/full", HostOpenFlags.ReadWrite, out _)!;
        await using var device = new PortableDevice("/dev/full", Scheduler.Default, full, s_special, "a test");
        Assert.Equal(IoResult.Failed(IoFault.NoSpace), await device.WriteAsync(0, _memory.Segment));
        Assert.True((await device.FlushAsync()).IsFailed);
        Assert.Equal(IoResult.Failed(IoFault.DeviceFailed), await device.FlushAsync());
        Assert.Contains("a test", device.Description, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _file.Dispose();
        ((IDisposable)_memory).Dispose();
    }

    private static UringDevice OpenSpecial(string path)
    {
        HostFile file = HostFile.Open(path, HostOpenFlags.ReadWrite, out Errno error)!;
        Assert.Equal(Errno.None, error);
        return UringDevice.Create(path, Scheduler.Default, file, s_special);
    }

    /// <summary>Once a read was really waited for, everything runs on the thread that reaps; its allocations are counted.</summary>
    private async Task<long> CountAllocationsAsync(BlockDevice device, int times)
    {
        const int WarmUp = 100;
        long before = 0;
        int thread = 0;
        for (int i = 0; i < WarmUp + times; i++)
        {
            if (Scheduler.Default.MayTouchUserMemory || (i > WarmUp && thread != Environment.CurrentManagedThreadId))
            {
                // The read was done before it was awaited, so this is not the thread that reaps: begin again.
                i = 0;
            }
            else if (i == WarmUp)
            {
                thread = Environment.CurrentManagedThreadId;
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            IoResult result = await device.ReadAsync(0, _memory.Segment).ConfigureAwait(false);
            if (result.IsFailed)
            {
                throw new InvalidOperationException(result.ToString());
            }
        }

        return thread == Environment.CurrentManagedThreadId
            ? GC.GetAllocatedBytesForCurrentThread() - before
            : await CountAllocationsAsync(device, times);
    }
}

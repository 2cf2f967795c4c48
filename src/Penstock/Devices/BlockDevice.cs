using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Devices;

/// <summary>
/// A device of blocks: an image file, a raw disk, memory, a partition of another device. Offsets and lengths are in bytes and multiples of
/// <see cref="LogicalBlockSize"/>, each segment's length too; memory is aligned to <see cref="MemoryAlignment"/>.
/// </summary>
/// <remarks>
/// <para>The contract, checked by one suite over all devices:</para>
/// <list type="number">
/// <item>A request completes exactly once, in a core place, and never inside its submission.</item>
/// <item>A result with fewer bytes than asked carries the fault that stopped it; the bytes before it were transferred.</item>
/// <item>A write that has completed is seen by every later read. Overlapping requests in flight have no order.</item>
/// <item>After a flush has completed, every write that had completed before the flush was submitted survives power loss; so does a
/// completed <see cref="DeviceOperation.WriteThrough"/>.</item>
/// <item>After one failed flush every later flush fails, until the device is opened again: what the failed one should have kept may be gone.</item>
/// <item>A request beyond the end, misaligned, or a write to a read-only device completes with a fault and transfers nothing.</item>
/// <item>A request of length 0 transfers nothing and succeeds.</item>
/// <item>Any thread may submit. Disposing waits for the requests in flight; a submission after that completes with a fault.</item>
/// </list>
/// </remarks>
internal abstract class BlockDevice : IMemoryRegistrar, IAsyncDisposable
{
    protected BlockDevice(string name, Scheduler scheduler)
    {
        Name = name;
        Scheduler = scheduler;
    }

    /// <summary>The device as the user named it.</summary>
    public string Name { get; }

    /// <summary>Which path is in use and why: "io_uring, O_DIRECT, 512-byte blocks, 8 MiB registered".</summary>
    public abstract string Description { get; }

    public Scheduler Scheduler { get; }

    /// <summary>The length in bytes, a multiple of <see cref="LogicalBlockSize"/>.</summary>
    public abstract long Length { get; }

    /// <summary>The unit of offsets and lengths, in bytes: a power of two, 1 where the device takes any.</summary>
    public abstract int LogicalBlockSize { get; }

    /// <summary>The unit that the device writes without reading first, in bytes: a power of two.</summary>
    public abstract int PhysicalBlockSize { get; }

    /// <summary>The alignment of memory, in bytes: a power of two.</summary>
    public abstract int MemoryAlignment { get; }

    public abstract bool IsReadOnly { get; }

    /// <summary>Whether <see cref="DeviceOperation.Discard"/> gives storage back; where it does not, it completes without doing anything.</summary>
    public abstract bool CanDiscard { get; }

    /// <summary>Submits a filled request; it belongs to the device until its completion. What cannot be done completes with a fault, later.</summary>
    public void Submit(DeviceRequest request)
    {
        request.MarkSubmitted(this);
        IoFault fault = Judge(request);
        if (fault != IoFault.None || (request.Length == 0 && request.Operation != DeviceOperation.Flush))
        {
            CompleteLater(request, fault);
            return;
        }

        SubmitChecked(request);
    }

    /// <summary>Sends on whatever submissions are being held back to form a batch.</summary>
    public virtual void FlushSubmissions()
    {
    }

    /// <summary>
    /// Has a thread that submits to the device and reaps its completions take in the requests of a guest too; false where no thread does, and the
    /// guest must come by its requests in another way.
    /// </summary>
    /// <param name="guest">The guest, which stays until it says that it has ended.</param>
    /// <param name="name">The thread's name.</param>
    public virtual bool TryHost(IRingGuest guest, string name) => false;

    public virtual bool TryRegister(IoSegment memory, out string reason)
    {
        reason = "the device needs no registered memory";
        return false;
    }

    public virtual void Unregister(IoSegment memory)
    {
    }

    /// <summary>Memory that suits the device's transfers, zeroed, and registered with it where that is to be had.</summary>
    public AlignedBuffer RentBuffer(int length) => new(length, Math.Max(4096, MemoryAlignment), this);

    public ValueTask<IoResult> ReadAsync(long offset, IoSegment segment) => TransferAsync(DeviceOperation.Read, offset, [segment]);

    public ValueTask<IoResult> ReadAsync(long offset, ReadOnlySpan<IoSegment> segments) => TransferAsync(DeviceOperation.Read, offset, segments);

    public ValueTask<IoResult> WriteAsync(long offset, IoSegment segment, bool isThrough = false) =>
        TransferAsync(isThrough ? DeviceOperation.WriteThrough : DeviceOperation.Write, offset, [segment]);

    public ValueTask<IoResult> WriteAsync(long offset, ReadOnlySpan<IoSegment> segments, bool isThrough = false) =>
        TransferAsync(isThrough ? DeviceOperation.WriteThrough : DeviceOperation.Write, offset, segments);

    public ValueTask<IoResult> FlushAsync() => RangeAsync(DeviceOperation.Flush, 0, 0);

    public ValueTask<IoResult> DiscardAsync(long offset, long length) => RangeAsync(DeviceOperation.Discard, offset, length);

    public ValueTask<IoResult> WriteZeroesAsync(long offset, long length) => RangeAsync(DeviceOperation.WriteZeroes, offset, length);

    public abstract ValueTask DisposeAsync();

    /// <summary>Whether a transfer needs nothing but a processor, so that a user's thread had best do it itself.</summary>
    public virtual bool ServesInCaller => false;

    /// <summary>Submits a request that is known to be well formed.</summary>
    protected abstract void SubmitChecked(DeviceRequest request);

    /// <summary>Completes a request that was not begun with <paramref name="fault"/>, in a core place.</summary>
    protected void CompleteLater(DeviceRequest request, IoFault fault)
    {
        request.Progress = (long)fault;
        Scheduler.Post(
            static state =>
            {
                var failed = (DeviceRequest)state!;
                failed.Complete(IoResult.Failed((IoFault)failed.Progress));
            },
            request);
    }

    private ValueTask<IoResult> TransferAsync(DeviceOperation operation, long offset, ReadOnlySpan<IoSegment> segments)
    {
        DeviceRequest request = DeviceRequest.Rent(operation, offset);
        request.Append(segments);
        ValueTask<IoResult> task = request.AsTask();
        Submit(request);
        return task;
    }

    private ValueTask<IoResult> RangeAsync(DeviceOperation operation, long offset, long length)
    {
        DeviceRequest request = DeviceRequest.Rent(operation, offset, length);
        ValueTask<IoResult> task = request.AsTask();
        Submit(request);
        return task;
    }

    private IoFault Judge(DeviceRequest request)
    {
        if (request.Operation == DeviceOperation.Flush)
        {
            return IoFault.None;
        }

        if (request.IsWrite && IsReadOnly)
        {
            return IoFault.ReadOnly;
        }

        if (request.Offset < 0 || request.Length < 0 || request.Offset > Length - request.Length)
        {
            return IoFault.NoSuchRange;
        }

        return IsAligned(request) ? IoFault.None : IoFault.InvalidArgument;
    }

    private bool IsAligned(DeviceRequest request)
    {
        if (((request.Offset | request.Length) & (LogicalBlockSize - 1)) != 0)
        {
            return false;
        }

        foreach (IoSegment segment in request.Segments)
        {
            if ((segment.Address & (MemoryAlignment - 1)) != 0 || (segment.Length & (LogicalBlockSize - 1)) != 0)
            {
                return false;
            }
        }

        return true;
    }
}

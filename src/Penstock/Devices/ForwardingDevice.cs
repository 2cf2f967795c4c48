using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Devices;

/// <summary>A device that hands its requests on to another, shifted or judged first. It owns that other one.</summary>
internal abstract class ForwardingDevice : BlockDevice, IDeviceRequestOwner
{
    protected ForwardingDevice(string name, BlockDevice inner)
        : base(name, inner.Scheduler) => Inner = inner;

    public override int LogicalBlockSize => Inner.LogicalBlockSize;

    public override int PhysicalBlockSize => Inner.PhysicalBlockSize;

    public override int MemoryAlignment => Inner.MemoryAlignment;

    public override long Length => Inner.Length;

    public override bool IsReadOnly => Inner.IsReadOnly;

    public override bool CanDiscard => Inner.CanDiscard;

    public override bool ServesInCaller => Inner.ServesInCaller;

    protected BlockDevice Inner { get; }

    public override void FlushSubmissions() => Inner.FlushSubmissions();

    public override bool TryHost(IRingGuest guest, string name) => Inner.TryHost(guest, name);

    public override bool TryRegister(IoSegment memory, out string reason) => Inner.TryRegister(memory, out reason);

    public override void Unregister(IoSegment memory) => Inner.Unregister(memory);

    public override ValueTask DisposeAsync() => Inner.DisposeAsync();

    void IDeviceRequestOwner.RequestCompleted(DeviceRequest request, IoResult result)
    {
        var outer = (DeviceRequest)request.Companion!;
        request.Return();
        InnerCompleted(outer, result);
    }

    /// <summary>Submits the same request to the inner device, <paramref name="shift"/> bytes further on.</summary>
    protected void Forward(DeviceRequest request, long shift) => Forward(request, shift, request.Length);

    /// <summary>Submits the first <paramref name="length"/> bytes of the request to the inner device.</summary>
    protected void Forward(DeviceRequest request, long shift, long length)
    {
        DeviceRequest inner = DeviceRequest.Rent(request.Operation, request.Offset + shift, request.IsTransfer ? 0 : length);
        foreach (IoSegment segment in request.Segments)
        {
            int count = (int)Math.Min(segment.Length, length);
            if (count > 0)
            {
                inner.Append(segment.Slice(0, count));
                length -= count;
            }
        }

        inner.Companion = request;
        inner.SetOwner(this);
        Inner.Submit(inner);
    }

    /// <summary>The inner device has completed what was forwarded for <paramref name="request"/>.</summary>
    protected virtual void InnerCompleted(DeviceRequest request, IoResult result) => request.Complete(result);
}

using System.Globalization;
using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Devices;

/// <summary>
/// A device in memory. What was never written takes no memory and reads as zeros, so that it may be as long as 64 TiB; what is discarded or
/// overwritten with zeros by the chunk is given back.
/// </summary>
/// <remarks>
/// The bytes are copied in a user place, since the request's memory may be a user's and touching it may then wait; the request is
/// completed in a core place, as everywhere; or, within a user's call, both on the thread of that user before the call returns.
/// </remarks>
internal sealed class MemoryDevice : BlockDevice
{
    /// <summary>The longest device, in bytes.</summary>
    public const long MaxLength = 64L << 40;

    private const int BlockSize = 512;

    private readonly DrainGate _gate;
    private readonly SparseMemory _memory = new();

    /// <summary>Makes a device of zeros.</summary>
    /// <param name="name">The name.</param>
    /// <param name="scheduler">The scheduler.</param>
    /// <param name="length">The length in bytes: a multiple of 512, at most <see cref="MaxLength"/>.</param>
    public MemoryDevice(string name, Scheduler scheduler, long length)
        : base(name, scheduler)
    {
        if (length is < 0 or > MaxLength || length % BlockSize != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "The length is no multiple of 512 bytes up to 64 TiB.");
        }

        Length = length;
        _gate = new DrainGate(scheduler);
    }

    public override string Description => string.Create(
        CultureInfo.InvariantCulture, $"memory, {_memory.AllocatedBytes >> 10} KiB of it allocated; gone when it is closed");

    public override long Length { get; }

    public override int LogicalBlockSize => BlockSize;

    public override int PhysicalBlockSize => 4096;

    public override int MemoryAlignment => 1;

    public override bool IsReadOnly => false;

    public override bool CanDiscard => true;

    public override bool ServesInCaller => true;

    /// <summary>How much memory the content takes.</summary>
    public long AllocatedBytes => _memory.AllocatedBytes;

    public override async ValueTask DisposeAsync()
    {
        if (await _gate.CloseAsync().ConfigureAwait(false))
        {
            _memory.Dispose();
        }
    }

    protected override void SubmitChecked(DeviceRequest request)
    {
        if (!_gate.TryEnter())
        {
            CompleteLater(request, IoFault.BadHandle);
            return;
        }

        if (Scheduler.TryPostToCaller(static state => PerformWhole((DeviceRequest)state!), request))
        {
            return;
        }

        if (request.IsTransfer)
        {
            Scheduler.PostToUser(static state => Perform((DeviceRequest)state!), request);
        }
        else
        {
            Perform(request);
        }
    }

    /// <summary>On the thread of the user whose call this is for: what follows is the core's code, which any place may run.</summary>
    private static void PerformWhole(DeviceRequest request)
    {
        request.Progress = (long)((MemoryDevice)request.Device!).Transfer(request);
        Complete(request);
    }

    private static void Perform(DeviceRequest request)
    {
        var device = (MemoryDevice)request.Device!;
        request.Progress = (long)device.Transfer(request);
        device.Scheduler.Post(static state => Complete((DeviceRequest)state!), request);
    }

    private static void Complete(DeviceRequest request)
    {
        var device = (MemoryDevice)request.Device!;
        var fault = (IoFault)request.Progress;
        request.Complete(fault == IoFault.None ? IoResult.Transferred(request.Length) : IoResult.Failed(fault));
        device._gate.Exit();
    }

    private IoFault Transfer(DeviceRequest request)
    {
        try
        {
            if (!request.IsTransfer)
            {
                if (request.Operation != DeviceOperation.Flush)
                {
                    _memory.Clear(request.Offset, request.Length);
                }

                return IoFault.None;
            }

            long offset = request.Offset;
            foreach (IoSegment segment in request.Segments)
            {
                if (request.Operation == DeviceOperation.Read)
                {
                    _memory.Read(offset, segment.Bytes);
                }
                else
                {
                    _memory.Write(offset, segment.Bytes);
                }

                offset += segment.Length;
            }

            return IoFault.None;
        }
        catch (OutOfMemoryException)
        {
            return IoFault.NoSpace;
        }
    }
}

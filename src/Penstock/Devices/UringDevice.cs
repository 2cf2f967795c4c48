using System.Globalization;
using Penstock.Devices.Host;
using Penstock.Devices.Rings;
using Penstock.Execution;
using Penstock.Memory;
using Penstock.Uring;

namespace Penstock.Devices;

/// <summary>An image file or raw disk of the host through io_uring with O_DIRECT: one ring and one thread that reaps for each device.</summary>
internal sealed class UringDevice : BlockDevice
{
    private const int Depth = 256;

    private readonly HostFile _file;
    private readonly Ring _ring;
    private readonly EventFd _wake;
    private readonly DeviceGeometry _geometry;
    private readonly DrainGate _gate;
    private readonly FlushLatch _latch = new();
    private readonly RegisteredBuffers _registered;
    private readonly RingReaper _reaper;
    private readonly BlockingLane _discards;
    private readonly PooledCompletion<bool> _retired;
    private readonly ValueTask<bool> _retirement;

    private UringDevice(string name, Scheduler scheduler, HostFile file, Ring ring, EventFd wake, DeviceGeometry geometry)
        : base(name, scheduler)
    {
        _file = file;
        _ring = ring;
        _wake = wake;
        _geometry = geometry;
        _gate = new DrainGate(scheduler);
        _retired = PooledCompletion<bool>.Rent(scheduler);
        _retirement = _retired.Task;
        _registered = new RegisteredBuffers(ring);
        _reaper = new RingReaper(
            ring, wake, new TransferStep(geometry.LogicalBlockSize, _registered), _latch, _gate, Retire, scheduler, ThreadName(name));

        // A raw disk is discarded by an ioctl, which blocks its caller.
        _discards = new BlockingLane(scheduler, $"penstock-discard {name}", 1, DiscardBlocks, _gate);
        Description = string.Create(
            CultureInfo.InvariantCulture,
            $"io_uring, O_DIRECT, {geometry.LogicalBlockSize}-byte blocks, memory aligned to {geometry.MemoryAlignment}");
    }

    public override string Description { get; }

    public override long Length => _geometry.Length;

    public override int LogicalBlockSize => _geometry.LogicalBlockSize;

    public override int PhysicalBlockSize => _geometry.PhysicalBlockSize;

    public override int MemoryAlignment => _geometry.MemoryAlignment;

    public override bool IsReadOnly => _geometry.IsReadOnly;

    public override bool CanDiscard => _geometry.CanDiscard;

    /// <summary>Takes over <paramref name="file"/>, which was opened for direct I/O, unless it throws.</summary>
    /// <exception cref="RingUnavailableException">There is no ring to be had; the message says why.</exception>
    public static UringDevice Create(string name, Scheduler scheduler, HostFile file, DeviceGeometry geometry)
    {
        Ring ring = Ring.Create(new RingOptions(Depth, IsShared: true));
        try
        {
            Require(ring.RegisterFiles([file.Descriptor]));
            EventFd? wake = EventFd.Create(isBlocking: true, out Errno error);
            Require(error);
            var device = new UringDevice(name, scheduler, file, ring, wake!, geometry);
            scheduler.StartReaper(ThreadName(name), device._reaper.Run);
            return device;
        }
        catch
        {
            ring.Dispose();
            throw;
        }
    }

    public override bool TryRegister(IoSegment memory, out string reason)
    {
        Errno error = _registered.Add(memory);
        reason = error switch
        {
            Errno.None => string.Empty,
            Errno.ENOMEM => $"{memory.Length >> 10} KiB exceed what the memlock limit of {ResourceLimits.LockedMemory >> 10} KiB leaves",
            Errno.ENOSPC => $"{RegisteredBuffers.Capacity} buffers are registered already",
            _ => $"the kernel does not register memory here ({error})",
        };
        return error == Errno.None;
    }

    public override void Unregister(IoSegment memory) => _registered.Remove(memory);

    /// <summary>The guest gets a ring of its own on the same file.</summary>
    public override bool TryHost(IRingGuest guest, string name)
    {
        Ring? ring = null;
        try
        {
            ring = Ring.Create(new RingOptions(Depth, HasWideEntries: guest.SendsCommands));
            Require(ring.RegisterFiles([_file.Descriptor]));
            RingLoop loop = RingLoop.Create(ring, _geometry.LogicalBlockSize, guest, _latch, _gate);
            Scheduler.StartReaper(name, loop.Run);
            return true;
        }
        catch (RingUnavailableException)
        {
            ring?.Dispose();
            return false;
        }
    }

    public override async ValueTask DisposeAsync()
    {
        if (!await _gate.CloseAsync().ConfigureAwait(false))
        {
            return;
        }

        _discards.Stop();
        _reaper.Stop();
        await _retirement.ConfigureAwait(false);

        // The kernel takes a ring apart in the background; whoever opens the device next must not meet our lock.
        _file.Unlock();
        _file.Dispose();
    }

    protected override void SubmitChecked(DeviceRequest request)
    {
        if (!_gate.TryEnter())
        {
            CompleteLater(request, IoFault.BadHandle);
        }
        else if (request.Operation == DeviceOperation.Discard && _geometry.IsBlockDevice)
        {
            _discards.Submit(request);
        }
        else if (!request.IsTransfer || !Scheduler.TryPostToBlockedCaller(static state => TransferInCaller((DeviceRequest)state!), request))
        {
            ReaperFor(request).Submit(request);
        }
    }

    /// <summary>On the thread of a user who blocks for the request: what follows its completion is the core's code, which any place may run.</summary>
    private static void TransferInCaller(DeviceRequest request)
    {
        var device = (UringDevice)request.Device!;
        device.Scheduler.AboutToBlock();
        IoResult result = CallerTransfer.Run(device._file, request, device.LogicalBlockSize);
        device._latch.Observe(request.Operation, result.Fault);
        request.Complete(result);
        device._gate.Exit();
    }

    /// <summary>A loop of ours takes the transfers of its own thread; all that must not overlap itself (see there) goes to one.</summary>
    private RingReaper ReaperFor(DeviceRequest request) =>
        request.IsTransfer && RingReaper.Current is { } here && here.Serves(_gate) ? here : _reaper;

    private static string ThreadName(string name) => $"penstock-ring {name}";

    private static void Require(Errno error)
    {
        if (error != Errno.None)
        {
            throw RingUnavailableException.ForSetup(error);
        }
    }

    private IoResult DiscardBlocks(DeviceRequest request)
    {
        Errno error = CanDiscard ? _file.DiscardBlocks(request.Offset, request.Length) : Errno.None;
        return error is Errno.None or Errno.EOPNOTSUPP ? IoResult.Transferred(request.Length) : IoResult.Failed(error.ToFault());
    }

    private void Retire()
    {
        _reaper.Dispose();
        _registered.Close();
        _ring.UnregisterFiles();
        _ring.Dispose();
        _wake.Dispose();
        _retired.Complete(true);
    }
}

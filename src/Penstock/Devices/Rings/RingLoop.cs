using Penstock.Memory;
using Penstock.Uring;

namespace Penstock.Devices.Rings;

/// <summary>One more ring on a device's file, with a guest, and all that belongs to it: made by any thread, given back by the one that runs it.</summary>
internal sealed class RingLoop
{
    private readonly Ring _ring;
    private readonly EventFd _wake;
    private readonly RingReaper _reaper;

    private RingLoop(Ring ring, EventFd wake, TransferStep step, FlushLatch latch, DrainGate gate, IRingGuest guest)
    {
        _ring = ring;
        _wake = wake;
        _reaper = new RingReaper(ring, wake, step, latch, gate, GiveBack, guest);
    }

    /// <summary>Takes over the ring, whose file is registered, unless it throws.</summary>
    /// <exception cref="RingUnavailableException">The process has no descriptor left.</exception>
    public static RingLoop Create(Ring ring, int logicalBlockSize, IRingGuest guest, FlushLatch latch, DrainGate gate)
    {
        EventFd wake = EventFd.Create(isBlocking: true, out Errno error) ?? throw RingUnavailableException.ForSetup(error);
        IoSegment memory = guest.Memory;
        var registered = new RegisteredBuffers(ring);
        if (memory.Length > 0)
        {
            // Where it may not be, its pages are pinned anew for each transfer.
            _ = registered.Add(memory);
        }

        var step = new TransferStep(logicalBlockSize, registered);
        return new RingLoop(ring, wake, step, latch, gate, guest);
    }

    /// <summary>Serves until the guest has ended and all that was submitted here has completed.</summary>
    public void Run() => _reaper.Run();

    private void GiveBack()
    {
        _reaper.Dispose();
        _ring.UnregisterFiles();
        _ring.Dispose();
        _wake.Dispose();
    }
}

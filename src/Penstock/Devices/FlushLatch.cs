namespace Penstock.Devices;

/// <summary>
/// Remembers that a flush has failed. The host reports a lost write once and then forgets it, so a flush that succeeds after one that
/// failed proves nothing: the device has failed until it is opened again.
/// </summary>
internal sealed class FlushLatch
{
    private volatile bool _hasFailed;

    public bool HasFailed => _hasFailed;

    /// <summary>The outcome of a flush that the host answered with <paramref name="fault"/>.</summary>
    public IoResult Judge(IoFault fault)
    {
        if (fault != IoFault.None)
        {
            _hasFailed = true;
            return IoResult.Failed(fault);
        }

        return _hasFailed ? IoResult.Failed(IoFault.DeviceFailed) : IoResult.Transferred(0);
    }

    /// <summary>
    /// Looks at the outcome of a write-through. It flushes too, and its failure may have taken the one report of an
    /// earlier lost write away from the next flush.
    /// </summary>
    public void Observe(DeviceOperation operation, IoFault fault)
    {
        // Set, never recomputed: between the read and the write of "|=" another ring's failure would be lost.
        if (operation == DeviceOperation.WriteThrough && fault == IoFault.DeviceFailed)
        {
            _hasFailed = true;
        }
    }
}

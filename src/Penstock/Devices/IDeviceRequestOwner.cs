namespace Penstock.Devices;

/// <summary>Who is told that a <see cref="DeviceRequest"/> has completed.</summary>
internal interface IDeviceRequestOwner
{
    /// <summary>
    /// The request has completed; the owner returns it. Called in a core place, on the thread that reaps: it must not block, wait for an
    /// inode lock (Rule 2.18) or touch user memory, and must not throw.
    /// </summary>
    void RequestCompleted(DeviceRequest request, IoResult result);
}

using Penstock.Devices;

namespace Penstock.Simulation.Devices;

/// <summary>Who is told, in order, of what a device does.</summary>
internal interface IDeviceWitness
{
    /// <summary>A request has been submitted.</summary>
    void Submitted(DeviceRequest request);

    /// <summary>A write, a discard or a zeroing has completed, and the device's content is what it left; it is stable if it was <paramref name="isThrough"/>.</summary>
    void Wrote(DeviceRequest request, DataOf data, bool isThrough);

    /// <summary>A flush has completed.</summary>
    void Flushed(DeviceRequest request);
}

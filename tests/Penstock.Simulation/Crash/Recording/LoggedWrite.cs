using System.Globalization;
using Penstock.Devices;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Judging;

namespace Penstock.Simulation.Crash.Recording;

/// <summary>A write, discard or zeroing that a device has been told of.</summary>
/// <param name="Number">Its place in the order of completion; of those in flight, after all of them in the order of submission.</param>
/// <param name="Operation">Which.</param>
/// <param name="Data">Which part of the core it belongs to.</param>
/// <param name="Offset">Where on the device, in bytes.</param>
/// <param name="Bytes">What stands there once it is done.</param>
/// <param name="HasCompleted">Whether it has been completed to its owner.</param>
internal sealed record LoggedWrite(long Number, DeviceOperation Operation, DataOf Data, long Offset, byte[] Bytes, bool HasCompleted)
{
    public const int Sector = 512;

    /// <summary>Whether a flush has covered it, or it went through the device's cache.</summary>
    public bool IsStable { get; set; }

    public int Sectors => Bytes.Length / Sector;

    public override string ToString()
    {
        string what = $"{Data} {Operation}".ToLowerInvariant();
        string whose = Operation is DeviceOperation.Write or DeviceOperation.WriteThrough && Data != DataOf.Metadata ? $" ({Tag.Describe(Bytes)})" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{what} {Number}: {Offset / 1024.0:0.#} KiB + {Bytes.Length}{whose}{(HasCompleted ? "" : ", in flight")}");
    }
}

using Penstock.Devices;
using Penstock.Execution;
using Penstock.Memory;
using Penstock.Simulation.Devices;
using Penstock.Simulation.Running;
using Penstock.Simulation.Scenarios;

namespace Penstock.Simulation.Threads;

/// <summary>What a volume lies on while real threads race.</summary>
internal enum RaceDevice
{
    /// <summary><see cref="ShakenDevice"/>: served in any order.</summary>
    Shaken,

    /// <summary>The library's memory device.</summary>
    Memory,

    /// <summary>An image file, by io_uring where that is to be had.</summary>
    Image,
}

/// <summary>Makes such a device with a volume on it, and copies what it holds into a file.</summary>
internal static class RaceDevices
{
    private const int Piece = 64 * 1024;

    public static async Task<BlockDevice> MakeAsync(RaceDevice kind, Plan plan, ulong seed, Scheduler scheduler, string path)
    {
        VolumeShape shape = plan.Shape;
        ChunkMemory content = VolumeImage.Of(shape).Clone();
        BlockDevice device = kind switch
        {
            RaceDevice.Shaken => new ShakenDevice(scheduler, shape.Length, plan.Device, seed),
            RaceDevice.Memory => new MemoryDevice("memory", scheduler, shape.Length),
            _ => await DeviceOpener.OpenAsync(path, new DeviceOptions { Scheduler = scheduler, CreateLength = shape.Length }),
        };
        using var buffer = new AlignedBuffer(Piece);
        for (long at = 0; at < shape.Length; at += Piece)
        {
            content.Read(at, buffer.Memory.Span);
            Require(await device.WriteAsync(at, buffer.Segment));
        }

        return device;
    }

    /// <summary>Copies what a device holds into a file, for other programs.</summary>
    public static async Task CopyToAsync(BlockDevice device, string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        using var buffer = new AlignedBuffer(Piece);
        for (long at = 0; at < device.Length; at += Piece)
        {
            Require(await device.ReadAsync(at, buffer.Segment));
            file.Write(buffer.Memory.Span);
        }
    }

    private static void Require(IoResult result)
    {
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, "race", "the device of a race fails");
        }
    }
}

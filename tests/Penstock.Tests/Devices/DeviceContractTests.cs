using Penstock.Devices;
using Penstock.Devices.Partitions;
using Penstock.Memory;
using Penstock.Testing.Devices;
using Penstock.Tests.Uring;

namespace Penstock.Tests.Devices;

/// <summary>The contract over an image file, opened as options say.</summary>
public abstract class ImageContract : DeviceContract, IDisposable
{
    private readonly TemporaryFile _file = new(DeviceLength);

    private protected abstract DeviceOptions Options { get; }

    public virtual void Dispose()
    {
        _file.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected override ValueTask<BlockDevice> OpenAsync() =>
        DeviceOpener.OpenAsync(_file.Path, Options with { Scheduler = Scheduler });
}

public sealed class UringDeviceContract : ImageContract
{
    private protected override DeviceOptions Options { get; } = new();
}

public sealed class PortableDeviceContract : ImageContract
{
    private protected override DeviceOptions Options { get; } = new() { IsPortable = true };
}

public sealed class MemoryDeviceContract : DeviceContract
{
    private protected override ValueTask<BlockDevice> OpenAsync() => new(new MemoryDevice("mem:4M", Scheduler, DeviceLength));
}

public sealed class PartitionDeviceContract : DeviceContract
{
    private protected override ValueTask<BlockDevice> OpenAsync() => new(
        new PartitionDevice("disk#2", new MemoryDevice("disk", Scheduler, DeviceLength * 3), new PartitionEntry(2, 1 << 20, DeviceLength, "GPT")));
}

public sealed class SubBlockDeviceContract : DeviceContract
{
    private protected override ValueTask<BlockDevice> OpenAsync() =>
        new(SubBlockDevice.For(new SimulatedDevice(Scheduler, DeviceLength, logicalBlockSize: 4096, memoryAlignment: 512), 512));
}

public sealed class FaultyDeviceContract : DeviceContract
{
    private protected override ValueTask<BlockDevice> OpenAsync() => new(new FaultyDevice(new MemoryDevice("mem:4M", Scheduler, DeviceLength)));
}

public sealed class SimulatedDeviceContract : DeviceContract
{
    private protected override ValueTask<BlockDevice> OpenAsync() => new(new SimulatedDevice(Scheduler, DeviceLength));
}

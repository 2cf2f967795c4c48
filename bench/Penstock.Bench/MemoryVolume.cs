using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Making;

namespace Penstock.Bench;

/// <summary>Volumes in sparse memory: of any size, and nothing but our own code is measured.</summary>
internal static class MemoryVolume
{
    private const int Block = 4096;

    public static async Task<Volume> MakeAsync(long length)
    {
        BlockDevice device = await MakeDeviceAsync(length);
        return await Volume.OpenAsync(device, VolumeOptions.Default);
    }

    public static async Task<BlockDevice> MakeDeviceAsync(long length)
    {
        var device = new MemoryDevice("memory", Scheduler.Default, length);
        await Ext4Maker.MakeAsync(device, new MakingOptions());
        return device;
    }

    /// <summary>Writes every second block, so that each is an extent of its own.</summary>
    public static async Task FragmentAsync(OpenFile file, int extents)
    {
        using var buffer = new AlignedBuffer(Block);
        for (long i = 0; i < extents; i++)
        {
            await file.WriteAsync(buffer.Memory, i * 2 * Block);
        }
    }
}

using Penstock.Devices;
using Penstock.Ext4.Format;

namespace Penstock.Cli.Naming;

/// <summary>What is on a device now, as far as its superblock tells.</summary>
internal static class ExistingVolume
{
    private const int BytesRead = 4096;

    /// <summary>The superblock, or null if there is none.</summary>
    /// <exception cref="CorruptVolumeException">There is a superblock, and it is damaged.</exception>
    public static async Task<Superblock?> ReadAsync(BlockDevice device)
    {
        if (device.Length < BytesRead)
        {
            return null;
        }

        var buffer = new AlignedBuffer(BytesRead, Math.Max(4096, device.MemoryAlignment));
        using (buffer as IDisposable)
        {
            IoResult read = await device.ReadAsync(0, buffer.Segment);
            if (read.IsFailed)
            {
                throw new DeviceException(read.Fault, device.Name, $"the superblock could not be read: {read.Fault.Describe()}", 0);
            }

            Memory<byte> raw = buffer.Memory.Slice(Superblock.VolumeOffset, Superblock.Size);
            return Superblock.IsRecognised(raw.Span) ? Superblock.Parse(raw.Span) : null;
        }
    }

    /// <summary>What is there in a few words, or null: nothing, or nothing that can be opened.</summary>
    public static async Task<string?> DescribeAsync(string name)
    {
        try
        {
            BlockDevice device = await DeviceOpener.OpenAsync(name, new DeviceOptions { IsReadOnly = true });
            await using (device)
            {
                return await ReadAsync(device) is { } superblock ? $"a volume {superblock.Uuid}" : null;
            }
        }
        catch (FileSystemException)
        {
            return null;
        }
    }
}

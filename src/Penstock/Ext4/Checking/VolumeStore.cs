using Penstock.Devices;
using Penstock.Memory;

namespace Penstock.Ext4.Checking;

/// <summary>Reads the blocks of a volume that is being checked, straight from its device.</summary>
internal sealed class VolumeStore(BlockDevice device, int blockSize)
{
    private const int MaxTransfer = 1 << 20;

    public int BlockSize => blockSize;

    public BlockDevice Device => device;

    public AlignedBuffer Allocate(int blocks) => new(blocks * blockSize, Math.Max(4096, device.MemoryAlignment));

    /// <summary>Reads blocks into the start of a buffer; false if the device cannot, with zeros for what is missing.</summary>
    public async ValueTask<bool> ReadAsync(ulong first, int count, IoSegment destination)
    {
        bool isWhole = true;
        int step = Math.Max(1, MaxTransfer / blockSize);
        for (int done = 0; done < count; done += step)
        {
            int now = Math.Min(step, count - done);
            IoSegment part = destination.Slice(done * blockSize, now * blockSize);
            IoResult result = await device.ReadAsync((long)(first + (uint)done) * blockSize, part).ConfigureAwait(false);
            if (result.IsFailed)
            {
                part.Bytes[(int)result.Bytes..].Clear();
                isWhole = false;
            }
        }

        return isWhole;
    }

    /// <summary>Writes blocks.</summary>
    /// <exception cref="DeviceException">The device refuses.</exception>
    public async ValueTask WriteAsync(ulong first, IoSegment source)
    {
        IoResult result = await device.WriteAsync((long)first * blockSize, source).ConfigureAwait(false);
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, device.Name, $"block {first} cannot be written", (long)first * blockSize);
        }
    }
}

namespace Penstock.Devices.Partitions;

/// <summary>Reads small stretches of a disk at any offset, whatever alignment the disk asks for.</summary>
internal sealed class SectorReader(BlockDevice disk) : IDisposable
{
    private AlignedBuffer _buffer = new(4096, Math.Max(4096, disk.MemoryAlignment));

    public BlockDevice Disk => disk;

    public long DiskLength => disk.Length;

    public async ValueTask<byte[]> ReadAsync(long offset, int length, string structure)
    {
        if (offset < 0 || length > disk.Length - offset)
        {
            throw new CorruptVolumeException(structure, $"byte {offset}", "location", $"beyond the disk's {disk.Length} bytes");
        }

        int unit = disk.LogicalBlockSize;
        long start = offset & ~(unit - 1L);
        int covering = (int)(((offset + length + unit - 1) & ~(unit - 1L)) - start);
        if (_buffer.Length < covering)
        {
            Dispose();
            _buffer = new AlignedBuffer(covering, Math.Max(4096, disk.MemoryAlignment));
        }

        IoResult result = await disk.ReadAsync(start, _buffer.Segment.Slice(0, covering)).ConfigureAwait(false);
        return result.IsFailed
            ? throw new DeviceException(result.Fault, disk.Name, $"the {structure} cannot be read: {result.Fault.Describe()}", offset)
            : _buffer.GetSpan().Slice((int)(offset - start), length).ToArray();
    }

    public void Dispose() => ((IDisposable)_buffer).Dispose();
}

using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>Puts a volume back to what it was before a repair, byte for byte.</summary>
internal sealed class UndoRestore(BlockDevice device, SafeFileHandle file)
{
    /// <summary>Reads the whole file first; writes only if all of it is sound and belongs to the volume.</summary>
    /// <returns>Units that were put back.</returns>
    /// <exception cref="FileSystemException">The file is damaged, is another volume's, or the volume has been changed since.</exception>
    public static async ValueTask<long> RunAsync(BlockDevice device, string path)
    {
        await device.Scheduler.SwitchToUserPlace();
        using SafeFileHandle file = UndoFile.Guard(path, () => File.OpenHandle(path));
        await device.Scheduler.Yield();
        return await new UndoRestore(device, file).RunAsync().ConfigureAwait(false);
    }

    private async ValueTask<long> RunAsync()
    {
        byte[] head = new byte[UndoFile.HeaderSize];
        await ReadFileAsync(head, 0).ConfigureAwait(false);
        UndoHeader header = UndoHeader.Read(head, UndoFile.ChecksumOffset);
        await RequireSameVolumeAsync(header).ConfigureAwait(false);
        byte[] record = new byte[UndoFile.RecordSize];
        for (long i = 0; i < header.Records; i++)
        {
            await ReadRecordAsync(record, i).ConfigureAwait(false);
        }

        using var buffer = new AlignedBuffer(HeldWritesDevice.UnitSize, Math.Max(4096, device.MemoryAlignment));
        for (long i = 0; i < header.Records; i++)
        {
            (long unit, int length) = await ReadRecordAsync(record, i).ConfigureAwait(false);
            record.AsSpan(UndoFile.RecordHeaderSize, length).CopyTo(buffer.GetSpan());
            Require(await device.WriteAsync(unit * HeldWritesDevice.UnitSize, buffer.Segment.Slice(0, length)).ConfigureAwait(false));
        }

        Require(await device.FlushAsync().ConfigureAwait(false));
        return header.Records;
    }

    private async ValueTask RequireSameVolumeAsync(UndoHeader header)
    {
        if (header.DeviceLength != device.Length)
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"the undo file is of a device of {header.DeviceLength} bytes, not of {device.Length}");
        }

        using var buffer = new AlignedBuffer(HeldWritesDevice.UnitSize, Math.Max(4096, device.MemoryAlignment));
        int length = (int)Math.Min(HeldWritesDevice.UnitSize, device.Length);
        Require(await device.ReadAsync(0, buffer.Segment.Slice(0, length)).ConfigureAwait(false));
        Superblock superblock = Superblock.Read(buffer.GetSpan()[Superblock.VolumeOffset..]);
        if (superblock.Magic == Superblock.ExpectedMagic && superblock.Uuid != header.Volume)
        {
            throw new FileSystemException(IoFault.InvalidArgument, $"the undo file is of volume {header.Volume}, not of {superblock.Uuid}");
        }

        uint hash = UndoHeader.HashOf(buffer.GetSpan()[..length]);
        if (header.FirstUnitHash is { } expected && expected != hash)
        {
            throw new FileSystemException(IoFault.Stale, "the volume has been changed since it was repaired");
        }
    }

    private async ValueTask<(long Unit, int Length)> ReadRecordAsync(byte[] record, long index)
    {
        await ReadFileAsync(record, UndoFile.HeaderSize + (index * UndoFile.RecordSize)).ConfigureAwait(false);
        long unit = BinaryPrimitives.ReadInt64LittleEndian(record);
        int length = BinaryPrimitives.ReadInt32LittleEndian(record.AsSpan(8));
        bool isSound = BinaryPrimitives.ReadUInt32LittleEndian(record.AsSpan(12)) == UndoFile.ChecksumOf(record)
            && length is > 0 and <= HeldWritesDevice.UnitSize && unit >= 0 && unit <= (device.Length - length) / HeldWritesDevice.UnitSize;
        if (!isSound)
        {
            throw new FileSystemException(IoFault.Corrupt, $"record {index} of the undo file is damaged");
        }

        return (unit, length);
    }

    private async ValueTask ReadFileAsync(byte[] bytes, long offset)
    {
        await device.Scheduler.SwitchToUserPlace();
        int read = UndoFile.Guard(null, () => RandomAccess.Read(file, bytes, offset));
        await device.Scheduler.Yield();
        if (read < bytes.Length)
        {
            throw new FileSystemException(IoFault.InvalidArgument, "the undo file is too short");
        }
    }

    private void Require(IoResult result)
    {
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, device.Name, "it cannot be put back as it was");
        }
    }
}

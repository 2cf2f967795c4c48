namespace Penstock.Devices.Partitions;

/// <summary>The partitions of a disk: GPT where there is one, else MBR.</summary>
internal static class PartitionTable
{
    /// <summary>Reads the table, in order of partition number.</summary>
    /// <exception cref="CorruptVolumeException">There is no table, or it contradicts itself or the disk.</exception>
    /// <exception cref="DeviceException">The disk cannot be read.</exception>
    public static async ValueTask<IReadOnlyList<PartitionEntry>> ReadAsync(BlockDevice disk)
    {
        using var reader = new SectorReader(disk);
        byte[] first = await reader.ReadAsync(0, 512, "partition table").ConfigureAwait(false);
        if (MasterBootRecord.HasSignature(first) && !MasterBootRecord.IsProtective(first))
        {
            return await MasterBootRecord.ReadAsync(reader, first).ConfigureAwait(false);
        }

        return await GuidPartitionTable.TryReadAsync(reader).ConfigureAwait(false)
            ?? throw new CorruptVolumeException("partition table", "byte 0", "signature", "neither that of a GPT nor of an MBR");
    }

    /// <summary>The partition with the given number.</summary>
    /// <exception cref="DeviceException">There is none.</exception>
    public static async ValueTask<PartitionEntry> FindAsync(BlockDevice disk, string name, int number)
    {
        IReadOnlyList<PartitionEntry> entries = await ReadAsync(disk).ConfigureAwait(false);
        foreach (PartitionEntry entry in entries)
        {
            if (entry.Number == number)
            {
                return entry;
            }
        }

        string known = entries.Count == 0 ? "has no partitions" : $"has the partitions {string.Join(", ", entries.Select(e => e.Number))}";
        throw new DeviceException(IoFault.NotFound, name, $"there is no partition {number}; the disk {known}");
    }
}

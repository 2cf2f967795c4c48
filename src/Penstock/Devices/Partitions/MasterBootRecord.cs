using System.Buffers.Binary;

namespace Penstock.Devices.Partitions;

/// <summary>
/// The MBR: four primary partitions, and in an extended one a chain of boot records with a logical partition each.
/// </summary>
internal static class MasterBootRecord
{
    private const int FirstEntry = 446;
    private const int EntryLength = 16;
    private const int Signature = 510;
    private const byte Protective = 0xEE;
    private const int FirstLogicalNumber = 5;

    // sfdisk and the kernel go no further than this; a longer chain is a loop or an attack.
    private const int MaxLogical = 256;

    public static bool HasSignature(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadUInt16LittleEndian(record[Signature..]) == 0xAA55;

    /// <summary>Whether the record only guards a GPT against programs that do not know it.</summary>
    public static bool IsProtective(ReadOnlySpan<byte> record)
    {
        for (int i = 0; i < 4; i++)
        {
            if (ReadEntry(record, i).Type == Protective)
            {
                return true;
            }
        }

        return false;
    }

    public static async ValueTask<IReadOnlyList<PartitionEntry>> ReadAsync(SectorReader reader, byte[] record)
    {
        int sector = Math.Max(512, reader.Disk.LogicalBlockSize);
        var found = new List<PartitionEntry>();
        var extended = new List<Entry>();
        for (int i = 0; i < 4; i++)
        {
            Entry entry = ReadEntry(record, i);
            if (entry.IsExtended)
            {
                extended.Add(entry);
            }
            else if (!entry.IsEmpty)
            {
                found.Add(Check(reader, i + 1, entry.Start, entry.Count, sector));
            }
        }

        foreach (Entry entry in extended)
        {
            await AddLogicalAsync(reader, entry.Start, sector, found).ConfigureAwait(false);
        }

        return found;
    }

    private static async ValueTask AddLogicalAsync(SectorReader reader, long extendedStart, int sector, List<PartitionEntry> found)
    {
        long position = extendedStart;
        int number = Math.Max(FirstLogicalNumber, found.Count == 0 ? 0 : found[^1].Number + 1);
        var visited = new HashSet<long>();
        while (true)
        {
            if (!visited.Add(position) || visited.Count > MaxLogical)
            {
                throw new CorruptVolumeException("extended boot record", $"sector {position}", "next", "a loop, or a chain without end");
            }

            byte[] record = await reader.ReadAsync(position * sector, 512, "extended boot record").ConfigureAwait(false);
            if (!HasSignature(record))
            {
                throw new CorruptVolumeException("extended boot record", $"sector {position}", "signature", "not 0xAA55");
            }

            Entry logical = ReadEntry(record, 0);
            if (!logical.IsEmpty && !logical.IsExtended)
            {
                found.Add(Check(reader, number++, position + logical.Start, logical.Count, sector));
            }

            Entry next = ReadEntry(record, 1);
            if (!next.IsExtended)
            {
                return;
            }

            position = extendedStart + next.Start;
        }
    }

    private static PartitionEntry Check(SectorReader reader, int number, long start, long count, int sector)
    {
        // 32-bit sectors of at most 64 KiB: no overflow.
        if (start == 0 || (start + count) * sector > reader.DiskLength)
        {
            throw new CorruptVolumeException(
                "MBR partition", $"partition {number}", "range", $"sectors {start} to {start + count} on a disk of {reader.DiskLength} bytes");
        }

        return new PartitionEntry(number, start * sector, count * sector, "MBR");
    }

    private static Entry ReadEntry(ReadOnlySpan<byte> record, int index)
    {
        ReadOnlySpan<byte> bytes = record.Slice(FirstEntry + (index * EntryLength), EntryLength);
        return new Entry(bytes[4], BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]));
    }

    private readonly record struct Entry(byte Type, long Start, long Count)
    {
        public bool IsEmpty => Type == 0 || Count == 0;

        /// <summary>0x05, 0x0F (with LBA), 0x85 (Linux).</summary>
        public bool IsExtended => Type is 0x05 or 0x0F or 0x85 && Count != 0;
    }
}

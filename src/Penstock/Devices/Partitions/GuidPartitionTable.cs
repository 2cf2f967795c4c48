using System.Buffers.Binary;

namespace Penstock.Devices.Partitions;

/// <summary>The GUID partition table (UEFI specification, chapter 5): header, array of entries, and a backup of both at the end.</summary>
internal static class GuidPartitionTable
{
    private const int MinHeaderLength = 92;
    private const int MinEntryLength = 128;
    private const int MaxEntryLength = 4096;
    private const uint MaxEntries = 1024;

    // The table does not say how long its sectors are; the header's place does.
    private static readonly int[] s_sectorLengths = [512, 4096, 1024, 2048];

    /// <summary>The partitions; null if no header is there.</summary>
    /// <exception cref="CorruptVolumeException">A header is there, and neither it nor its backup is whole.</exception>
    public static async ValueTask<IReadOnlyList<PartitionEntry>?> TryReadAsync(SectorReader reader)
    {
        CorruptVolumeException? damage = null;
        foreach (int sector in s_sectorLengths)
        {
            long last = (reader.DiskLength / sector) - 1;
            foreach (long position in (long[])[1, last])
            {
                try
                {
                    if (position > 0 && position <= last && await TryReadAtAsync(reader, sector, position).ConfigureAwait(false) is { } found)
                    {
                        return found;
                    }
                }
                catch (CorruptVolumeException e)
                {
                    damage ??= e;
                }
            }
        }

        return damage is null ? null : throw damage;
    }

    private static async ValueTask<IReadOnlyList<PartitionEntry>?> TryReadAtAsync(SectorReader reader, int sector, long position)
    {
        byte[] header = await reader.ReadAsync(position * sector, 512, "GPT header").ConfigureAwait(false);
        if (!header.AsSpan(0, 8).SequenceEqual("EFI PART"u8))
        {
            return null;
        }

        GptHeader fields = GptHeader.Parse(header, position);
        byte[] array = await reader.ReadAsync(
            checked((long)fields.ArrayPosition * sector), fields.EntryCount * fields.EntryLength, "GPT entry array").ConfigureAwait(false);
        if (Crc32.Compute(array) != fields.ArrayChecksum)
        {
            throw new CorruptVolumeException("GPT entry array", $"sector {fields.ArrayPosition}", "checksum", "not that in the header");
        }

        return ReadEntries(reader, array, fields.EntryLength, sector);
    }

    private static List<PartitionEntry> ReadEntries(SectorReader reader, byte[] array, int entryLength, int sector)
    {
        var found = new List<PartitionEntry>();
        for (int i = 0; i < array.Length / entryLength; i++)
        {
            ReadOnlySpan<byte> entry = array.AsSpan(i * entryLength, entryLength);
            if (entry[..16].IndexOfAnyExcept((byte)0) < 0)
            {
                continue;
            }

            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]);
            ulong last = BinaryPrimitives.ReadUInt64LittleEndian(entry[40..]);
            if (first == 0 || last < first || last >= (ulong)(reader.DiskLength / sector))
            {
                throw new CorruptVolumeException(
                    "GPT partition", $"partition {i + 1}", "range", $"sectors {first} to {last} on a disk of {reader.DiskLength} bytes");
            }

            found.Add(new PartitionEntry(i + 1, (long)first * sector, (long)(last - first + 1) * sector, "GPT"));
        }

        return found;
    }

    private readonly record struct GptHeader(ulong ArrayPosition, int EntryCount, int EntryLength, uint ArrayChecksum)
    {
        public static GptHeader Parse(byte[] header, long position)
        {
            string location = $"sector {position}";
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(12));
            if (length < MinHeaderLength || length > header.Length)
            {
                throw new CorruptVolumeException("GPT header", location, "HeaderSize", $"{length}");
            }

            uint checksum = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(16));
            header.AsSpan(16, 4).Clear();
            if (Crc32.Compute(header.AsSpan(0, (int)length)) != checksum)
            {
                throw new CorruptVolumeException("GPT header", location, "HeaderCRC32", $"0x{checksum:X8}, not that of the header");
            }

            ulong self = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(24));
            ulong array = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(72));
            uint count = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(80));
            uint entryLength = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(84));
            Require(self == (ulong)position, location, "MyLBA", self);
            Require(array is > 0 and < 1UL << 48, location, "PartitionEntryLBA", array);
            Require(count is > 0 and <= MaxEntries, location, "NumberOfPartitionEntries", count);
            Require(entryLength is >= MinEntryLength and <= MaxEntryLength && entryLength % 8 == 0, location, "SizeOfPartitionEntry", entryLength);
            return new GptHeader(array, (int)count, (int)entryLength, BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(88)));
        }

        private static void Require(bool condition, string location, string field, ulong value)
        {
            if (!condition)
            {
                throw new CorruptVolumeException("GPT header", location, field, $"{value}");
            }
        }
    }
}

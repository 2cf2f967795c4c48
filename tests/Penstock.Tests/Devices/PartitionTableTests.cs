using System.Buffers.Binary;
using Penstock.Devices;
using Penstock.Devices.Partitions;
using Penstock.Execution;
using Penstock.Testing.Devices;
using Xunit;

namespace Penstock.Tests.Devices;

public sealed class PartitionTableTests
{
    private const int DiskLength = 8 << 20;

    [Fact]
    public void The_checksum_is_that_of_the_standard() => Assert.Equal(0xCBF43926, Crc32.Compute("123456789"u8));

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public async Task A_gpt_is_read_whatever_its_sectors(int sector)
    {
        await using SimulatedDevice disk = NewDisk(sector);
        WriteGpt(disk, sector, (1, 64, 127), (3, 128, 255));
        Assert.Equal(
            [new PartitionEntry(1, 64 * sector, 64 * sector, "GPT"), new PartitionEntry(3, 128 * sector, 128 * sector, "GPT")],
            await PartitionTable.ReadAsync(disk));
    }

    [Fact]
    public async Task A_damaged_gpt_is_replaced_by_its_backup()
    {
        await using SimulatedDevice disk = NewDisk();
        WriteGpt(disk, 512, (2, 64, 127));
        disk.Poke(512 + 40, [0xFF]);
        PartitionEntry entry = Assert.Single(await PartitionTable.ReadAsync(disk));
        Assert.Equal(2, entry.Number);
    }

    [Theory]
    [InlineData(512 + 40, "HeaderCRC32")]
    [InlineData(1024 + 130, "checksum")]
    public async Task Where_both_copies_are_damaged_nothing_is_believed(int offset, string field)
    {
        await using SimulatedDevice disk = NewDisk();
        WriteGpt(disk, 512, (2, 64, 127));
        disk.Poke(offset, [0xFF]);
        disk.Poke(DiskLength - 512, new byte[512]);
        Assert.Equal(field, (await Corrupt(disk)).Field);
    }

    [Theory]
    [InlineData(64, 63)]
    [InlineData(0, 10)]
    [InlineData(64, DiskLength / 512)]
    [InlineData(64, long.MaxValue)]
    public async Task A_partition_beyond_the_disk_is_damage(long first, long last)
    {
        await using SimulatedDevice disk = NewDisk();
        WriteGpt(disk, 512, (1, first, last));
        Assert.Equal("range", (await Corrupt(disk)).Field);
    }

    [Fact]
    public async Task An_absurd_count_of_entries_is_refused_before_memory_is_taken()
    {
        await using SimulatedDevice disk = NewDisk();
        WriteGpt(disk, 512, [(1, 64, 127)], entryCount: 0x4000_0000);
        Assert.Equal("NumberOfPartitionEntries", (await Corrupt(disk)).Field);
    }

    [Fact]
    public async Task An_mbr_is_read_with_its_logical_partitions()
    {
        await using SimulatedDevice disk = NewDisk();
        WriteRecord(disk, 0, (0x83, 64, 64), (0x05, 1000, 2000), (0, 0, 0), (0x83, 128, 100));
        WriteRecord(disk, 1000, (0x83, 8, 100), (0x05, 500, 200));
        WriteRecord(disk, 1500, (0x83, 8, 50), (0, 0, 0));
        Assert.Equal(
            [
                new PartitionEntry(1, 64 * 512, 64 * 512, "MBR"),
                new PartitionEntry(4, 128 * 512, 100 * 512, "MBR"),
                new PartitionEntry(5, 1008 * 512, 100 * 512, "MBR"),
                new PartitionEntry(6, 1508 * 512, 50 * 512, "MBR"),
            ],
            await PartitionTable.ReadAsync(disk));
    }

    [Fact]
    public async Task A_chain_of_boot_records_that_loops_is_damage()
    {
        await using SimulatedDevice disk = NewDisk();
        WriteRecord(disk, 0, (0x05, 1000, 2000));
        WriteRecord(disk, 1000, (0x83, 8, 100), (0x05, 500, 200));
        WriteRecord(disk, 1500, (0x83, 8, 50), (0x05, 500, 200));
        Assert.Equal("next", (await Corrupt(disk)).Field);
    }

    [Fact]
    public async Task A_disk_without_a_table_says_so()
    {
        await using SimulatedDevice disk = NewDisk();
        Assert.Equal("signature", (await Corrupt(disk)).Field);
        WriteRecord(disk, 0, (0x83, 64, DiskLength));
        Assert.Equal("range", (await Corrupt(disk)).Field);
    }

    [Fact]
    public async Task A_partition_is_opened_by_number_and_shifted()
    {
        string path = Path.Combine(Path.GetTempPath(), $"penstock-test-{Guid.NewGuid():N}");
        try
        {
            await using (SimulatedDevice disk = NewDisk())
            {
                WriteGpt(disk, 512, (2, 2048, 4095));
                await File.WriteAllBytesAsync(path, disk.Peek(0, DiskLength));
            }

            using var memory = new AlignedBuffer(4096);
            memory.GetSpan().Fill(0x42);
            await using (BlockDevice device = await DeviceOpener.OpenAsync(path + "#2", new DeviceOptions()))
            {
                Assert.Equal(1 << 20, device.Length);
                Assert.Equal(IoResult.Transferred(4096), await device.WriteAsync(4096, memory.Segment));
            }

            byte[] bytes = await File.ReadAllBytesAsync(path);
            Assert.Equal((2048 * 512) + 4096, bytes.AsSpan(8192).IndexOf(memory.GetSpan()) + 8192);
            DeviceException missing = await Assert.ThrowsAsync<DeviceException>(
                async () => await DeviceOpener.OpenAsync(path + "#7", new DeviceOptions()));
            Assert.Equal(IoFault.NotFound, missing.Fault);
            Assert.Contains("has the partitions 2", missing.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static SimulatedDevice NewDisk(int sector = 512) => new(Scheduler.Default, DiskLength, sector);

    private static async Task<CorruptVolumeException> Corrupt(BlockDevice disk) =>
        await Assert.ThrowsAsync<CorruptVolumeException>(async () => await PartitionTable.ReadAsync(disk));

    private static void WriteRecord(SimulatedDevice disk, long sector, params (byte Type, uint Start, uint Count)[] entries)
    {
        var record = new byte[512];
        for (int i = 0; i < entries.Length; i++)
        {
            Span<byte> entry = record.AsSpan(446 + (i * 16), 16);
            entry[4] = entries[i].Type;
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], entries[i].Start);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[12..], entries[i].Count);
        }

        record[510] = 0x55;
        record[511] = 0xAA;
        disk.Poke(sector * 512, record);
    }

    private static void WriteGpt(SimulatedDevice disk, int sector, params (int Number, long First, long Last)[] entries) =>
        WriteGpt(disk, sector, entries, entryCount: 128);

    private static void WriteGpt(SimulatedDevice disk, int sector, (int Number, long First, long Last)[] entries, uint entryCount)
    {
        var array = new byte[128 * 128];
        foreach ((int number, long first, long last) in entries)
        {
            Span<byte> entry = array.AsSpan((number - 1) * 128, 128);
            entry[..16].Fill((byte)number);
            BinaryPrimitives.WriteInt64LittleEndian(entry[32..], first);
            BinaryPrimitives.WriteInt64LittleEndian(entry[40..], last);
        }

        long lastSector = (DiskLength / sector) - 1;
        WriteRecord(disk, 0, (0xEE, 1, (uint)lastSector));
        long backupArray = lastSector - (array.Length / sector);
        disk.Poke(2 * sector, array);
        disk.Poke(backupArray * sector, array);
        disk.Poke(sector, Header(1, lastSector, 2, entryCount, array));
        disk.Poke(lastSector * sector, Header(lastSector, 1, backupArray, entryCount, array));
    }

    private static byte[] Header(long self, long other, long arrayPosition, uint entryCount, byte[] array)
    {
        var header = new byte[512];
        "EFI PART"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), 0x10000);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), 92);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), self);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), other);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(72), arrayPosition);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(80), entryCount);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(84), 128);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(88), Crc32.Compute(array));
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), Crc32.Compute(header.AsSpan(0, 92)));
        return header;
    }
}

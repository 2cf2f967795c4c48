using System.Text;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

/// <summary>The mmp block, blocks of the orphan file, and quota entries.</summary>
public sealed class SmallStructureTests
{
    private static readonly MetadataChecksum Checksum = new(true, 5);

    [Fact]
    public void The_mmp_block_lies_where_the_format_says()
    {
        byte[] raw = new byte[1024];
        var block = new MmpBlock(0x01020304, 0x05060708090A0B0C, "node", "device", 0x0D0E);
        block.WriteTo(raw, Checksum);
        Assert.Equal("504D4D00" + "04030201" + "0C0B0A0908070605", Convert.ToHexString(raw[..16]));
        Assert.Equal("node\0", Encoding.ASCII.GetString(raw[0x10..0x15]));
        Assert.Equal("device\0", Encoding.ASCII.GetString(raw[0x50..0x57]));
        Assert.Equal([0x0E, 0x0D], raw[0x70..0x72]);
        Assert.Equal(block, MmpBlock.Parse(raw, new VolumeBlock(9), Checksum));
        AssertEveryBitCounts(raw, damaged => MmpBlock.Parse(damaged, new VolumeBlock(9), Checksum));
    }

    [Fact]
    public void A_name_too_long_for_the_mmp_block_is_cut()
    {
        byte[] raw = new byte[1024];
        new MmpBlock(1, 0, new string('n', 100), new string('d', 100), 5).WriteTo(raw, default);
        MmpBlock read = MmpBlock.Parse(raw, default, default);
        Assert.Equal((64, 32), (read.NodeName.Length, read.DeviceName.Length));
    }

    [Fact]
    public void An_orphan_block_is_checked_with_its_place()
    {
        byte[] raw = new byte[1024];
        VolumeGeometry geometry = SampleVolume.MakeGeometry();
        OrphanBlock.WriteSlot(raw, 3, 77);
        OrphanBlock.WriteTail(raw, 500, hasChecksum: true, 9);
        Assert.Equal(254, OrphanBlock.SlotCount(1024));
        Assert.Equal("04CA100B", Convert.ToHexString(raw[1016..1020]));
        Check(raw, 500);
        Assert.Equal(77u, OrphanBlock.ReadSlot(raw, 3));
        Assert.Throws<CorruptVolumeException>(() => Check(raw, 501));
        AssertEveryBitCounts(raw, damaged => Check(damaged, 500));

        OrphanBlock.WriteSlot(raw, 4, geometry.InodeCount + 1);
        OrphanBlock.WriteTail(raw, 500, true, 9);
        Assert.Equal("inode", Assert.Throws<CorruptVolumeException>(() => Check(raw, 500)).Field);

        void Check(byte[] bytes, ulong block) =>
            OrphanBlock.Check(bytes, new InodeBlockLocation(new InodeNumber(12), new VolumeBlock(block)), geometry, true, 9);
    }

    [Fact]
    public void A_quota_entry_lies_where_the_format_says()
    {
        byte[] raw = new byte[QuotaEntry.Size];
        var entry = new QuotaEntry(0x01020304, 0x33, 0x66, 0x11, 0x22, 0x44, 0x55, 0x77, 0x88);
        entry.WriteTo(raw);
        Assert.Equal(0x01020304u, BitConverter.ToUInt32(raw));
        Assert.Equal(
            [0x11UL, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88], Enumerable.Range(1, 8).Select(i => BitConverter.ToUInt64(raw, i * 8)));
        Assert.Equal(entry, QuotaEntry.Read(raw));
    }

    [Fact]
    public void A_quota_file_leads_to_its_entry_by_the_bytes_of_the_id()
    {
        byte[] file = QuotaFile.CreateFor(QuotaKind.Project, new QuotaEntry(0x01020304, 2, 3));
        Assert.Equal("143FC0D9" + "01000000" + "803A0900" + "803A0900" + "00000000" + "06000000" + "00000000" + "05000000", Convert.ToHexString(file[..32]));
        uint block = QuotaFile.RootBlock;
        foreach (int step in (int[])[1, 2, 3, 4])
        {
            block = BitConverter.ToUInt32(file, (int)(block * 1024) + (step * 4));
        }

        Assert.Equal(1, file[(block * 1024) + 8]);
        Assert.Equal(new QuotaEntry(0x01020304, 2, 3), QuotaEntry.Read(file.AsSpan((int)(block * 1024) + 16)));
    }

    private static void AssertEveryBitCounts(byte[] sound, Action<byte[]> parse)
    {
        for (int bit = 0; bit < sound.Length * 8; bit++)
        {
            byte[] damaged = (byte[])sound.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<CorruptVolumeException>(() => parse(damaged));
        }
    }
}

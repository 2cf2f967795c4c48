using System.Text;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

public sealed class DirectoryFormatTests
{
    private const uint Seed = 77;
    private static readonly InodeBlockLocation Place = new(new InodeNumber(12), new VolumeBlock(5000));
    private static readonly DirectoryFormat Format = new(1000, HasFileType: true, HasChecksum: true, HasEncryptedNames: false, HasStoredHash: false);
    private static readonly DirectoryFormat Plain = Format with { HasChecksum = false };

    [Fact]
    public void An_entry_lies_where_the_format_says()
    {
        byte[] raw = new byte[16];
        DirectoryEntry.Write(raw, 0, 0x01020304, 16, "name"u8, DirectoryFileType.Socket);
        Assert.Equal("04030201" + "1000" + "04" + "06" + "6E616D65" + "00000000", Convert.ToHexString(raw));
        Assert.Equal(new DirectoryEntry(0x01020304, 0, 16, 4, DirectoryFileType.Socket), DirectoryEntry.Read(raw, 0));
    }

    [Theory]
    [InlineData(12)]
    [InlineData(4096)]
    [InlineData(65532)]
    [InlineData(65536)]
    public void Record_lengths_up_to_64_KiB_are_kept(int length)
    {
        byte[] raw = new byte[65536];
        DirectoryEntry.Write(raw, 0, 1, length, "x"u8, DirectoryFileType.Regular);
        Assert.Equal(length, DirectoryEntry.Read(raw, 0).RecordLength);
    }

    [Fact]
    public void A_block_is_walked_and_every_changed_bit_is_noticed()
    {
        byte[] block = MakeBlock();
        DirectoryBlock.Check(block, Format, Place, Seed);
        var names = new List<string>();
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(block, Format.UsableBytes(block.Length)))
        {
            names.Add(Encoding.UTF8.GetString(entry.NameIn(block)));
        }

        Assert.Equal([".", "..", "file"], names);
        for (int bit = 0; bit < block.Length * 8; bit++)
        {
            byte[] damaged = (byte[])block.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<CorruptVolumeException>(() => DirectoryBlock.Check(damaged, Format, Place, Seed));
        }
    }

    public static TheoryData<string, Action<byte[]>> Damages => new()
    {
        { "rec_len", b => DirectoryEntry.WriteRecordLength(b, 12, 8) },
        { "rec_len", b => DirectoryEntry.WriteRecordLength(b, 12, 14) },
        { "rec_len", b => DirectoryEntry.WriteRecordLength(b, 12, 1020) },
        { "rec_len", b => DirectoryEntry.WriteRecordLength(b, 12, 0) },
        { "rec_len", b => DirectoryEntry.WriteRecordLength(b, 24, 1024 - 24 - 4) },
        { "name_len", b => b[12 + 6] = 9 },
        { "name_len", b => b[24 + 6] = 0 },
        { "inode", b => DirectoryEntry.WriteInode(b, 24, 1001) },
        { "name", b => b[24 + 8] = (byte)'/' },
        { "name", b => b[24 + 9] = 0 },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Damage_is_named(string field, Action<byte[]> damage)
    {
        byte[] block = MakeBlock(Plain);
        DirectoryBlock.Check(block, Plain, Place, 0);
        damage(block);
        var thrown = Assert.Throws<CorruptVolumeException>(() => DirectoryBlock.Check(block, Plain, Place, 0));
        Assert.Equal(("directory block", field), (thrown.Structure, thrown.Field));
    }

    [Fact]
    public void A_missing_checksum_entry_is_named() =>
        Assert.Equal("det_reserved_ft", Fails(() => DirectoryBlock.Check(MakeBlock(Plain), Format, Place, Seed)));

    [Fact]
    public void Without_filetype_the_type_is_the_high_half_of_the_length()
    {
        DirectoryFormat old = Plain with { HasFileType = false };
        Assert.Equal("name_len", Fails(() => DirectoryBlock.Check(MakeBlock(Plain), old, Place, 0)));
    }

    [Fact]
    public void Encrypted_names_may_hold_any_byte()
    {
        byte[] block = MakeBlock(Plain);
        block[24 + 8] = (byte)'/';
        DirectoryBlock.Check(block, Plain with { HasEncryptedNames = true }, Place, 0);
    }

    [Fact]
    public void Stored_hashes_need_room_behind_the_name()
    {
        DirectoryFormat hashed = Plain with { HasStoredHash = true };
        Assert.Equal("name_len", Fails(() => DirectoryBlock.Check(MakeBlock(Plain), hashed, Place, 0)));
    }

    [Fact]
    public void A_cleared_block_is_sound()
    {
        byte[] block = new byte[65536];
        DirectoryBlock.Clear(block, Plain);
        DirectoryBlock.Check(block, Plain, Place, 0);
        DirectoryBlock.Clear(block, Format);
        DirectoryTail.Write(block, Seed);
        DirectoryBlock.Check(block, Format, Place, Seed);
    }

    [Fact]
    public void Noise_never_throws_anything_else()
    {
        var random = new Random(11);
        for (int round = 0; round < 3000; round++)
        {
            byte[] block = MakeBlock(Plain);
            for (int change = random.Next(1, 5); change > 0; change--)
            {
                block[random.Next(40)] = (byte)random.Next(256);
            }

            try
            {
                DirectoryBlock.Check(block, Plain, Place, 0);
                int total = 0;
                foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(block, block.Length))
                {
                    total += entry.RecordLength;
                    Assert.True(entry.NameIn(block).Length <= entry.RecordLength);
                }

                Assert.Equal(block.Length, total);
            }
            catch (CorruptVolumeException)
            {
            }
        }
    }

    [Fact]
    public void An_index_root_is_read_back_and_every_changed_bit_that_counts_is_noticed()
    {
        byte[] block = MakeRoot();
        DxRoot root = DxRoot.Parse(block, Format, hasLargeDir: false, Place, Seed);
        Assert.Equal(new DxRoot(DirectoryHashVersion.HalfMd4, 1), root);
        Assert.Equal(2, DxNode.ReadCount(block, DxRoot.EntriesOffset));
        Assert.Equal(new DxEntry(0, 1), DxNode.Read(block, DxRoot.EntriesOffset, 0));
        Assert.Equal(new DxEntry(0x1000, 2), DxNode.Read(block, DxRoot.EntriesOffset, 1));
        for (int bit = 0; bit < 48 * 8; bit++)
        {
            byte[] damaged = (byte[])block.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<CorruptVolumeException>(() => DxRoot.Parse(damaged, Format, false, Place, Seed));
        }
    }

    [Theory]
    [InlineData("indirect_levels", 0x18 + 6, 2)]
    [InlineData("hash_version", 0x18 + 4, 3)]
    [InlineData("info_length", 0x18 + 5, 9)]
    [InlineData("limit", 0x20, 1)]
    [InlineData("count", 0x22, 0)]
    [InlineData("count", 0x23, 0xFF)]
    [InlineData("reserved_zero", 0x18, 1)]
    public void Damage_of_an_index_root_is_named(string field, int offset, byte value)
    {
        byte[] block = MakeRoot(Plain);
        DxRoot.Parse(block, Plain, false, Place, 0);
        block[offset] = value;
        Assert.Equal(field, Fails(() => DxRoot.Parse(block, Plain, false, Place, 0)));
    }

    [Fact]
    public void Large_dir_allows_one_level_more()
    {
        byte[] block = MakeRoot(Plain);
        block[0x18 + 6] = 2;
        Assert.Equal(2, DxRoot.Parse(block, Plain, hasLargeDir: true, Place, 0).IndirectLevels);
    }

    [Fact]
    public void Hashes_of_an_index_must_rise()
    {
        byte[] block = new byte[1024];
        DxNode.WriteHead(block);
        DxNode.WriteCountAndLimit(block, DxNode.EntriesOffset, 3, DxNode.LimitOf(1024, DxNode.EntriesOffset, true));
        DxNode.Write(block, DxNode.EntriesOffset, 1, new DxEntry(8, 2));
        DxNode.Write(block, DxNode.EntriesOffset, 2, new DxEntry(8, 3));
        DxNode.WriteChecksum(block, DxNode.EntriesOffset, Seed);
        DxNode.CheckBlock(block, true, Place, Seed);
        DxNode.Write(block, DxNode.EntriesOffset, 2, new DxEntry(7, 3));
        DxNode.WriteChecksum(block, DxNode.EntriesOffset, Seed);
        Assert.Equal("hash", Fails(() => DxNode.CheckBlock(block, true, Place, Seed)));
    }

    private static byte[] MakeBlock() => MakeBlock(Format);

    private static byte[] MakeBlock(DirectoryFormat format)
    {
        byte[] block = new byte[1024];
        DirectoryEntry.Write(block, 0, 2, 12, "."u8, DirectoryFileType.Directory);
        DirectoryEntry.Write(block, 12, 2, 12, ".."u8, DirectoryFileType.Directory);
        DirectoryEntry.Write(block, 24, 12, format.UsableBytes(1024) - 24, "file"u8, DirectoryFileType.Regular);
        if (format.HasChecksum)
        {
            DirectoryTail.Write(block, Seed);
        }

        return block;
    }

    private static byte[] MakeRoot() => MakeRoot(Format);

    private static byte[] MakeRoot(DirectoryFormat format)
    {
        byte[] block = new byte[1024];
        DirectoryEntry.Write(block, 0, 2, 12, "."u8, DirectoryFileType.Directory);
        DirectoryEntry.Write(block, 12, 2, 1012, ".."u8, DirectoryFileType.Directory);
        new DxRoot(DirectoryHashVersion.HalfMd4, 1).WriteTo(block);
        DxNode.WriteCountAndLimit(block, DxRoot.EntriesOffset, 2, DxNode.LimitOf(1024, DxRoot.EntriesOffset, format.HasChecksum));
        DxNode.Write(block, DxRoot.EntriesOffset, 0, new DxEntry(0, 1));
        DxNode.Write(block, DxRoot.EntriesOffset, 1, new DxEntry(0x1000, 2));
        if (format.HasChecksum)
        {
            DxNode.WriteChecksum(block, DxRoot.EntriesOffset, Seed);
        }

        return block;
    }

    private static string Fails(Action action) => Assert.Throws<CorruptVolumeException>(action).Field;
}

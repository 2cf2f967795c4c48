using System.Text;
using Penstock.Ext4.Format;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

public sealed class AttributeFormatTests
{
    private static readonly MetadataChecksum Checksum = new(true, 99);
    private static readonly VolumeBlock Place = new(4321);

    [Fact]
    public void An_entry_lies_where_the_format_says()
    {
        byte[] raw = new byte[20];
        var entry = new AttributeEntry(0, 3, AttributeNamespace.Security, 0x0102, 0x03040506, 0x0708090A, 0x0B0C0D0E);
        entry.WriteTo(raw, "abc"u8);
        Assert.Equal("03" + "06" + "0201" + "06050403" + "0A090807" + "0E0D0C0B" + "61626300", Convert.ToHexString(raw));
        Assert.Equal(entry, AttributeEntry.Read(raw, 0));
        Assert.Equal(20, entry.Length);
    }

    [Fact]
    public void The_head_of_a_block_lies_where_the_format_says()
    {
        byte[] block = new byte[1024];
        new AttributeBlockHeader(0x01020304, 0x05060708).WriteTo(block, Place, default);
        Assert.Equal("000002EA" + "04030201" + "01000000" + "08070605" + "00000000", Convert.ToHexString(block[..20]));
    }

    [Fact]
    public void A_block_is_read_back_and_every_changed_bit_is_noticed()
    {
        byte[] block = MakeBlock();
        AttributeBlockHeader header = AttributeBlockHeader.Parse(block, Place, 1000, Checksum);
        Assert.Equal(AttributeBlockHeader.ComputeHash(block), header.Hash);
        var found = new List<string>();
        foreach (AttributeEntry entry in AttributeArea.EntriesOf(block, AttributeBlockHeader.Size))
        {
            found.Add($"{Encoding.ASCII.GetString(entry.NameIn(block))}={Encoding.ASCII.GetString(AttributeArea.ValueIn(block, entry))}");
        }

        Assert.Equal(["one=first", "two=second!"], found);
        for (int bit = 0; bit < block.Length * 8; bit++)
        {
            byte[] damaged = (byte[])block.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<CorruptVolumeException>(() => AttributeBlockHeader.Parse(damaged, Place, 1000, Checksum));
        }

        Assert.Throws<CorruptVolumeException>(() => AttributeBlockHeader.Parse(block, new VolumeBlock(4322), 1000, Checksum));
    }

    public static TheoryData<string, Action<byte[]>> Damages => new()
    {
        { "h_magic", b => b[0] = 1 },
        { "h_blocks", b => b[8] = 2 },
        { "h_refcount", b => b[4] = 0 },
        { "e_value_offs", b => { b[32 + 2] = 40; b[32 + 3] = 0; } },
        { "e_value_offs", b => b[32 + 3] = 0xFF },
        { "e_value_offs", b => b[32 + 8 + 2] = 1 },
        { "e_value_offs", b => b[32 + 8 + 3] = 0x80 },
        { "e_value_inum", b => b[32 + 4 + 2] = 1 },
        { "e_name_len", b => b.AsSpan(32).Fill(0xFF) },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Damage_is_named(string field, Action<byte[]> damage)
    {
        byte[] block = MakeBlock();
        AttributeBlockHeader.Parse(block, Place, 1000, default);
        damage(block);
        Assert.Equal(field, Assert.Throws<CorruptVolumeException>(() => AttributeBlockHeader.Parse(block, Place, 1000, default)).Field);
    }

    [Fact]
    public void Values_may_not_share_their_bytes()
    {
        byte[] block = new byte[1024];
        for (int i = 0; i < 3; i++)
        {
            new AttributeEntry(32 + (i * 20), 1, AttributeNamespace.User, 512, 0, 512, 1).WriteTo(block, "n"u8);
        }

        new AttributeBlockHeader(1, 0).WriteTo(block, Place, default);
        Assert.Equal("e_value_size", Assert.Throws<CorruptVolumeException>(() => AttributeBlockHeader.Parse(block, Place, 1000, default)).Field);
    }

    [Fact]
    public void Noise_never_throws_anything_else()
    {
        var random = new Random(3);
        for (int round = 0; round < 5000; round++)
        {
            byte[] block = MakeBlock();
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                block[32 + random.Next(44)] = (byte)random.Next(256);
            }

            try
            {
                AttributeArea.Check(block, 32, 1000, Place);
                foreach (AttributeEntry entry in AttributeArea.EntriesOf(block, 32))
                {
                    _ = entry.NameIn(block).Length + AttributeArea.ValueIn(block, entry).Length;
                }
            }
            catch (CorruptVolumeException)
            {
            }
        }
    }

    [Theory]
    [InlineData("user.name", 1, "name")]
    [InlineData("system.posix_acl_access", 2, "")]
    [InlineData("system.posix_acl_default", 3, "")]
    [InlineData("trusted.t", 4, "t")]
    [InlineData("security.capability", 6, "capability")]
    [InlineData("system.data", 7, "data")]
    public void Prefixes_are_numbers(string full, int space, string suffix)
    {
        Assert.True(AttributeName.TrySplit(full, out AttributeNamespace found, out string rest));
        Assert.Equal(((AttributeNamespace)space, suffix), (found, rest));
        Assert.Equal(full, AttributeName.Join(found, rest));
    }

    [Theory]
    [InlineData("name")]
    [InlineData("user.")]
    [InlineData("other.name")]
    public void Names_without_a_known_prefix_are_refused(string full) => Assert.False(AttributeName.TrySplit(full, out _, out _));

    [Fact]
    public void An_access_control_list_goes_to_the_wire_and_back()
    {
        // u::rw-, u:1000:r--, g::r--, m::rw-, o::---
        byte[] wire = Convert.FromHexString(
            "02000000" + "01000600FFFFFFFF" + "02000400E8030000" + "04000400FFFFFFFF" + "10000600FFFFFFFF" + "20000000FFFFFFFF");
        Assert.True(PosixAcl.TryToStored(wire, out byte[] stored));
        Assert.Equal("01000000" + "01000600" + "02000400E8030000" + "04000400" + "10000600" + "20000000", Convert.ToHexString(stored));
        Assert.Equal(wire, PosixAcl.ToWire(stored, Place));
    }

    [Theory]
    [InlineData("01000000" + "01000600FFFFFFFF" + "04000400FFFFFFFF" + "20000000FFFFFFFF")] // version
    [InlineData("02000000" + "01000600FFFFFFFF" + "04000400FFFFFFFF" + "20000000FFFFFF")] // length
    [InlineData("02000000" + "01000600FFFFFFFF" + "04000400FFFFFFFF")] // no other
    [InlineData("02000000" + "04000400FFFFFFFF" + "01000600FFFFFFFF" + "20000000FFFFFFFF")] // order
    [InlineData("02000000" + "01000600FFFFFFFF" + "0200040005000000" + "04000400FFFFFFFF" + "20000000FFFFFFFF")] // no mask
    [InlineData("02000000" + "01000800FFFFFFFF" + "04000400FFFFFFFF" + "20000000FFFFFFFF")] // permissions
    [InlineData("02000000" + "01000600FFFFFFFF" + "04000400FFFFFFFF" + "40000000FFFFFFFF")] // tag
    public void A_wrong_list_is_refused(string hex) => Assert.False(PosixAcl.TryToStored(Convert.FromHexString(hex), out _));

    [Theory]
    [InlineData("a_version", "02000000")]
    [InlineData("a_version", "")]
    [InlineData("e_tag", "0100000001")]
    [InlineData("e_tag", "0100000003000000")]
    [InlineData("e_id", "0100000002000400")]
    public void A_damaged_list_is_named(string field, string hex) =>
        Assert.Equal(field, Assert.Throws<CorruptVolumeException>(() => PosixAcl.ToWire(Convert.FromHexString(hex), Place)).Field);

    [Fact]
    public void The_counts_of_a_value_inode_lie_in_its_times()
    {
        InodeRecord inode = InodeRecord.Create(256);
        AttributeValueInode.WriteHash(inode, 0xF0E0D0C0);
        AttributeValueInode.WriteReferenceCount(inode, 0x8000000100000002);
        Assert.Equal(0xF0E0D0C0, AttributeValueInode.ReadHash(inode));
        Assert.Equal(0x8000000100000002, AttributeValueInode.ReadReferenceCount(inode));
    }

    private static byte[] MakeBlock()
    {
        byte[] block = new byte[1024];
        Add(block, 32, "one", 1016, "first");
        Add(block, 52, "two", 1008, "second!");
        new AttributeBlockHeader(1, AttributeBlockHeader.ComputeHash(block)).WriteTo(block, Place, Checksum);
        return block;
    }

    private static void Add(byte[] block, int offset, string name, int valueOffset, string value)
    {
        byte[] nameBytes = Encoding.ASCII.GetBytes(name);
        byte[] valueBytes = Encoding.ASCII.GetBytes(value);
        valueBytes.CopyTo(block, valueOffset);
        uint hash = AttributeEntry.ComputeHash(nameBytes, valueBytes);
        new AttributeEntry(offset, (byte)name.Length, AttributeNamespace.User, (ushort)valueOffset, 0, (uint)value.Length, hash).WriteTo(block, nameBytes);
    }
}

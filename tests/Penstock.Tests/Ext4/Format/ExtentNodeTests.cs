using Penstock.Ext4.Format;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

public sealed class ExtentNodeTests
{
    private const uint Seed = 0xCAFE;
    private static readonly InodeNumber Inode = new(12);
    private static readonly VolumeBlock Place = new(5000);
    private static readonly VolumeGeometry Geometry = SampleVolume.MakeGeometry();

    [Fact]
    public void The_header_lies_where_the_format_says()
    {
        byte[] raw = new byte[12];
        new ExtentHeader(0x1122, 0x3344, 0x5566, 0x778899AA).WriteTo(raw);
        Assert.Equal("0AF3221144336655AA998877", Convert.ToHexString(raw));
        Assert.Equal(new ExtentHeader(0x1122, 0x3344, 0x5566, 0x778899AA), ExtentHeader.Read(raw));
    }

    [Fact]
    public void A_leaf_entry_lies_where_the_format_says()
    {
        byte[] raw = new byte[24];
        var leaf = new ExtentLeaf(0x01020304, 0x0506, false, new VolumeBlock(0x0708_090A0B0C));
        leaf.WriteTo(raw, 0);
        Assert.Equal("04030201" + "0605" + "0807" + "0C0B0A09", Convert.ToHexString(raw[12..]));
        Assert.Equal(leaf, ExtentLeaf.Read(raw, 0));
    }

    [Theory]
    [InlineData(32768, false, 32768)]
    [InlineData(32769, true, 1)]
    [InlineData(65535, true, 32767)]
    public void A_length_above_32768_means_unwritten(int stored, bool isUnwritten, int length)
    {
        byte[] raw = new byte[24];
        BitConverter.GetBytes((ushort)stored).CopyTo(raw, 16);
        ExtentLeaf leaf = ExtentLeaf.Read(raw, 0);
        Assert.Equal((isUnwritten, length), (leaf.IsUnwritten, leaf.Length));
        byte[] again = new byte[24];
        leaf.WriteTo(again, 0);
        Assert.Equal(raw, again);
    }

    [Fact]
    public void An_index_entry_lies_where_the_format_says()
    {
        byte[] raw = new byte[24];
        var index = new ExtentIndex(0x01020304, new VolumeBlock(0x0708_090A0B0C));
        index.WriteTo(raw, 0);
        Assert.Equal("04030201" + "0C0B0A09" + "0807" + "0000", Convert.ToHexString(raw[12..]));
        Assert.Equal(index, ExtentIndex.Read(raw, 0));
    }

    [Fact]
    public void A_sound_leaf_is_accepted_and_every_changed_bit_is_noticed()
    {
        byte[] block = MakeLeaf((0, 10, 1000), (10, 5, 2000), (100, 32768, 3000));
        Assert.Equal(3, Check(block, depth: 0).Entries);
        for (int bit = 0; bit < (12 + 36) * 8; bit++)
        {
            byte[] damaged = (byte[])block.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<CorruptVolumeException>(() => Check(damaged, depth: 0));
        }
    }

    public static TheoryData<string, string, Action<byte[]>> Damages => new()
    {
        { "extent header", "eh_magic", b => b[0] = 0 },
        { "extent header", "eh_depth", b => b[6] = 6 },
        { "extent header", "eh_depth", b => b[6] = 1 },
        { "extent header", "eh_max", b => { b[4] = 0; b[5] = 0; } },
        { "extent header", "eh_max", b => b[5] = 0xFF },
        { "extent header", "eh_entries", b => b[3] = 0xFF },
        { "extent node", "ee_len", b => new ExtentLeaf(0, 0, false, new(1000)).WriteTo(b, 0) },
        { "extent node", "ee_block", b => new ExtentLeaf(9, 5, false, new(2000)).WriteTo(b, 1) },
        { "extent node", "ee_block", b => new ExtentLeaf(0xFFFFFFFE, 5, false, new(2000)).WriteTo(b, 1) },
        { "extent node", "ee_start", b => new ExtentLeaf(10, 5, false, new(262140)).WriteTo(b, 1) },
        { "extent node", "ee_start", b => new ExtentLeaf(10, 5, false, new(0xFFFF_FFFFFFFF)).WriteTo(b, 1) },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Damage_under_a_right_checksum_is_named(string structure, string field, Action<byte[]> damage)
    {
        byte[] block = MakeLeaf((0, 10, 1000), (10, 5, 2000));
        damage(block);
        if (ExtentHeader.Read(block).Capacity is > 0 and <= 340)
        {
            ExtentTail.Write(block, Seed);
        }

        var thrown = Assert.Throws<CorruptVolumeException>(() => Check(block, depth: 0));
        Assert.Equal((structure, field), (thrown.Structure, thrown.Field));
        Assert.Contains("inode 12", thrown.Location, StringComparison.Ordinal);
    }

    [Fact]
    public void A_child_keeps_to_the_range_and_depth_its_parent_gives()
    {
        byte[] root = new byte[60];
        new ExtentHeader(2, 4, 1).WriteTo(root);
        new ExtentIndex(0, new VolumeBlock(6000)).WriteTo(root, 0);
        new ExtentIndex(100, new VolumeBlock(6001)).WriteTo(root, 1);
        ExtentNode.CheckRoot(root, Inode, Geometry);
        ExtentNode first = ExtentNode.Root.Child(root, 0);
        ExtentNode second = ExtentNode.Root.Child(root, 1);
        Assert.Equal(new ExtentNode(0, 0, 100), first);
        Assert.Equal(new ExtentNode(0, 100, uint.MaxValue), second);

        byte[] leaf = MakeLeaf((90, 20, 1000));
        Assert.Equal("ee_block", Fails(() => first.CheckBlock(leaf, Inode, Place, Geometry, true, Seed)));
        Assert.Equal("ee_block", Fails(() => second.CheckBlock(leaf, Inode, Place, Geometry, true, Seed)));
    }

    [Fact]
    public void An_inner_node_must_lead_somewhere_else()
    {
        byte[] root = new byte[60];
        new ExtentHeader(0, 4, 1).WriteTo(root);
        Assert.Equal("eh_entries", Fails(() => ExtentNode.CheckRoot(root, Inode, Geometry)));
        new ExtentHeader(2, 4, 1).WriteTo(root);
        new ExtentIndex(5, new VolumeBlock(6000)).WriteTo(root, 0);
        new ExtentIndex(5, new VolumeBlock(6001)).WriteTo(root, 1);
        Assert.Equal("ei_block", Fails(() => ExtentNode.CheckRoot(root, Inode, Geometry)));
        new ExtentIndex(6, new VolumeBlock(262144)).WriteTo(root, 1);
        Assert.Equal("ei_leaf", Fails(() => ExtentNode.CheckRoot(root, Inode, Geometry)));

        byte[] block = new byte[4096];
        new ExtentHeader(1, 340, 1).WriteTo(block);
        new ExtentIndex(0, Place).WriteTo(block, 0);
        Assert.Equal("ei_leaf", Fails(() => new ExtentNode(1, 0, 100).CheckBlock(block, Inode, Place, Geometry, false, 0)));
    }

    private static ExtentHeader Check(byte[] block, int depth) =>
        new ExtentNode(depth, 0, uint.MaxValue).CheckBlock(block, Inode, Place, Geometry, hasChecksum: true, Seed);

    private static byte[] MakeLeaf(params (uint First, int Length, ulong Start)[] leaves)
    {
        byte[] block = new byte[4096];
        new ExtentHeader((ushort)leaves.Length, (ushort)ExtentHeader.CapacityOf(4096), 0).WriteTo(block);
        for (int i = 0; i < leaves.Length; i++)
        {
            new ExtentLeaf(leaves[i].First, (ushort)leaves[i].Length, false, new VolumeBlock(leaves[i].Start)).WriteTo(block, i);
        }

        ExtentTail.Write(block, Seed);
        return block;
    }

    private static string Fails(Action action) => Assert.Throws<CorruptVolumeException>(action).Field;
}

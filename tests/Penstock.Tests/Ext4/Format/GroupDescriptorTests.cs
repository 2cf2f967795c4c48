using Penstock.Ext4.Format;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

public sealed class GroupDescriptorTests
{
    private delegate void Change(ref GroupDescriptor descriptor);

    /// <summary>Each field with all bits set, its low and high offset, and the bytes of each half.</summary>
    private static readonly (string Name, int Low, int High, int Length, Change Set)[] Fields =
    [
        ("bg_block_bitmap", 0x00, 0x20, 4, (ref GroupDescriptor d) => d.BlockBitmap = new(ulong.MaxValue)),
        ("bg_inode_bitmap", 0x04, 0x24, 4, (ref GroupDescriptor d) => d.InodeBitmap = new(ulong.MaxValue)),
        ("bg_inode_table", 0x08, 0x28, 4, (ref GroupDescriptor d) => d.InodeTable = new(ulong.MaxValue)),
        ("bg_free_blocks_count", 0x0C, 0x2C, 2, (ref GroupDescriptor d) => d.FreeClusters = uint.MaxValue),
        ("bg_free_inodes_count", 0x0E, 0x2E, 2, (ref GroupDescriptor d) => d.FreeInodes = uint.MaxValue),
        ("bg_used_dirs_count", 0x10, 0x30, 2, (ref GroupDescriptor d) => d.UsedDirectories = uint.MaxValue),
        ("bg_flags", 0x12, -1, 2, (ref GroupDescriptor d) => d.Flags = (GroupFlags)ushort.MaxValue),
        ("bg_exclude_bitmap", 0x14, 0x34, 4, (ref GroupDescriptor d) => d.ExcludeBitmap = ulong.MaxValue),
        ("bg_block_bitmap_csum", 0x18, 0x38, 2, (ref GroupDescriptor d) => d.BlockBitmapChecksum = uint.MaxValue),
        ("bg_inode_bitmap_csum", 0x1A, 0x3A, 2, (ref GroupDescriptor d) => d.InodeBitmapChecksum = uint.MaxValue),
        ("bg_itable_unused", 0x1C, 0x32, 2, (ref GroupDescriptor d) => d.UnusedInodes = uint.MaxValue),
    ];

    public static TheoryData<string, bool> FieldNames
    {
        get
        {
            var all = new TheoryData<string, bool>();
            foreach (var row in Fields)
            {
                all.Add(row.Name, true);
                all.Add(row.Name, false);
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(FieldNames))]
    public void A_field_lies_where_the_format_says(string name, bool isLarge)
    {
        (_, int low, int high, int length, Change set) = Fields.Single(f => f.Name == name);
        int size = isLarge ? GroupDescriptor.LargeSize : GroupDescriptor.SmallSize;
        byte[] raw = new byte[size];
        GroupDescriptor descriptor = default;
        set(ref descriptor);
        descriptor.WriteTo(raw, default, default);
        for (int i = 0; i < size; i++)
        {
            bool isInside = (i >= low && i < low + length) || (isLarge && high >= 0 && i >= high && i < high + length);
            Assert.Equal(isInside ? 0xFF : 0, raw[i]);
        }

        byte[] again = new byte[size];
        GroupDescriptor.Read(raw).WriteTo(again, default, default);
        Assert.Equal(raw, again);
    }

    [Fact]
    public void Bytes_beyond_the_known_fields_survive()
    {
        byte[] raw = new byte[128];
        raw.AsSpan().Fill(0xA5);
        Sample().WriteTo(raw, default, default);
        Assert.True(raw.AsSpan(0x3C).IndexOfAnyExcept((byte)0xA5) < 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_changed_bit_breaks_the_checksum(bool isCrc32C)
    {
        Superblock superblock = SampleVolume.MakeSuperblock();
        if (!isCrc32C)
        {
            superblock.Features = superblock.Features.Without(ReadOnlyCompatFeatures.MetadataCsum).With(ReadOnlyCompatFeatures.UninitBg);
        }

        var checksum = new GroupChecksum(superblock);
        var geometry = new VolumeGeometry(superblock);
        byte[] raw = new byte[64];
        Sample().WriteTo(raw, new BlockGroup(3), checksum);
        Assert.Equal(Sample().FreeInodes, GroupDescriptor.Parse(raw, new BlockGroup(3), geometry, checksum).FreeInodes);
        AssertCorrupt("bg_checksum", () => GroupDescriptor.Parse(raw, new BlockGroup(4), geometry, checksum));
        for (int bit = 0; bit < raw.Length * 8; bit++)
        {
            byte[] damaged = (byte[])raw.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            AssertCorrupt("bg_checksum", () => GroupDescriptor.Parse(damaged, new BlockGroup(3), geometry, checksum));
        }
    }

    [Theory]
    [InlineData("bg_block_bitmap")]
    [InlineData("bg_inode_bitmap")]
    [InlineData("bg_inode_table")]
    [InlineData("bg_free_blocks_count")]
    [InlineData("bg_free_inodes_count")]
    [InlineData("bg_used_dirs_count")]
    [InlineData("bg_itable_unused")]
    public void An_impossible_value_is_named(string field)
    {
        Superblock superblock = SampleVolume.MakeSuperblock();
        var checksum = new GroupChecksum(superblock);
        GroupDescriptor descriptor = Sample();
        Fields.Single(f => f.Name == field).Set(ref descriptor);
        byte[] raw = new byte[64];
        descriptor.WriteTo(raw, default, checksum);
        AssertCorrupt(field, () => GroupDescriptor.Parse(raw, default, new VolumeGeometry(superblock), checksum));
    }

    [Fact]
    public void An_inode_table_that_runs_off_the_volume_is_named()
    {
        Superblock superblock = SampleVolume.MakeSuperblock();
        var checksum = new GroupChecksum(superblock);
        GroupDescriptor descriptor = Sample();
        descriptor.InodeTable = new VolumeBlock(superblock.BlockCount - 511);
        byte[] raw = new byte[64];
        descriptor.WriteTo(raw, default, checksum);
        AssertCorrupt("bg_inode_table", () => GroupDescriptor.Parse(raw, default, new VolumeGeometry(superblock), checksum));
    }

    private static GroupDescriptor Sample() => new()
    {
        BlockBitmap = new(129),
        InodeBitmap = new(145),
        InodeTable = new(161),
        FreeClusters = 100,
        FreeInodes = 8181,
        UsedDirectories = 2,
        UnusedInodes = 8181,
        Flags = GroupFlags.InodeZeroed,
    };

    private static void AssertCorrupt(string field, Action action)
    {
        var thrown = Assert.Throws<CorruptVolumeException>(action);
        Assert.Equal("group descriptor", thrown.Structure);
        Assert.Equal(field, thrown.Field);
    }
}

using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

public sealed class InodeRecordTests
{
    private static readonly MetadataChecksum Checksum = new(true, 0x12345678);

    /// <summary>Each field with all bits set, and the places it must take.</summary>
    private static readonly (string Name, (int Offset, int Length)[] Places, Action<InodeRecord> Set)[] Fields =
    [
        ("i_mode", [(0x00, 2)], i => i.Mode = ushort.MaxValue),
        ("i_uid", [(0x02, 2), (0x78, 2)], i => i.Uid = uint.MaxValue),
        ("i_size", [(0x04, 4), (0x6C, 4)], i => i.Size = ulong.MaxValue),
        ("i_atime", [(0x08, 4)], i => i.Accessed = new Timestamp(-1)),
        ("i_atime_extra", [(0x08, 4), (0x8C, 1)], i => i.Accessed = new Timestamp((3L << 32) - 1, 63)),
        ("i_ctime", [(0x0C, 4)], i => i.Changed = new Timestamp(-1)),
        ("i_ctime_extra", [(0x0C, 4), (0x84, 1)], i => i.Changed = new Timestamp((3L << 32) - 1, 63)),
        ("i_mtime", [(0x10, 4)], i => i.Modified = new Timestamp(-1)),
        ("i_mtime_extra", [(0x10, 4), (0x88, 1)], i => i.Modified = new Timestamp((3L << 32) - 1, 63)),
        ("i_crtime", [(0x90, 4)], i => i.Born = new Timestamp(-1)),
        ("i_crtime_extra", [(0x90, 4), (0x94, 1)], i => i.Born = new Timestamp((3L << 32) - 1, 63)),
        ("i_dtime", [(0x14, 4)], i => i.DeletionTime = uint.MaxValue),
        ("i_gid", [(0x18, 2), (0x7A, 2)], i => i.Gid = uint.MaxValue),
        ("i_links_count", [(0x1A, 2)], i => i.LinkCount = ushort.MaxValue),
        ("i_blocks", [(0x1C, 4), (0x74, 2)], i => i.TrySetAllocatedBytes(((1UL << 48) - 1) * 512, 4096, true)),
        ("i_flags", [(0x20, 4)], i => i.Flags = (InodeFlags)uint.MaxValue),
        ("i_version", [(0x24, 4), (0x98, 4)], i => i.Version = ulong.MaxValue),
        ("i_block", [(0x28, 60)], i => i.BlockField.Fill(0xFF)),
        ("i_generation", [(0x64, 4)], i => i.Generation = uint.MaxValue),
        ("i_file_acl", [(0x68, 4), (0x76, 2)], i => i.AttributeBlock = new VolumeBlock((1UL << 48) - 1)),
        ("i_projid", [(0x9C, 4)], i => i.ProjectId = uint.MaxValue),
    ];

    public static TheoryData<string> FieldNames => new(Fields.Select(f => f.Name));

    [Theory]
    [MemberData(nameof(FieldNames))]
    public void A_field_lies_where_the_format_says(string name)
    {
        (_, (int Offset, int Length)[] places, Action<InodeRecord> set) = Fields.Single(f => f.Name == name);
        InodeRecord inode = InodeRecord.Create(256);
        byte[] before = Bytes(inode);
        set(inode);
        byte[] after = Bytes(inode);
        for (int i = 0; i < after.Length; i++)
        {
            // Clearing the mark of huge files is part of setting a count of sectors; it is clear already.
            bool isInside = places.Any(place => i >= place.Offset && i < place.Offset + place.Length);
            byte expected = isInside ? (byte)0xFF : before[i];

            // 63 nanoseconds and an epoch of 3 make exactly one byte of ones.
            Assert.True(expected == after[i], $"byte 0x{i:X} is 0x{after[i]:X2}");
        }
    }

    [Fact]
    public void The_extra_size_lies_where_the_format_says()
    {
        InodeRecord inode = InodeRecord.Create(256, 0x1C);
        Assert.Equal(0x1C, Bytes(inode)[0x80]);
        Assert.Equal(128 - 0x1C, inode.AttributeArea.Length);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 999_999_999)]
    [InlineData(int.MinValue, 1)]
    [InlineData(int.MaxValue, 0)]
    [InlineData((long)int.MaxValue + 1, 5)]
    [InlineData(uint.MaxValue, 0)]
    [InlineData(InodeTime.MaxSeconds, 999_999_999)]
    public void Times_of_34_bits_are_kept(long seconds, int nanoseconds)
    {
        InodeRecord inode = InodeRecord.Create(256);
        var time = new Timestamp(seconds, nanoseconds);
        inode.Modified = time;
        Assert.Equal(time, inode.Modified);
        Assert.Equal(time, inode.Clamp(time));
    }

    [Fact]
    public void Times_beyond_are_clamped()
    {
        Assert.Equal(15032385535, InodeTime.MaxSeconds);
        InodeRecord large = InodeRecord.Create(256);
        large.Modified = new Timestamp(long.MaxValue, 7);
        Assert.Equal(new Timestamp(InodeTime.MaxSeconds), large.Modified);
        large.Modified = new Timestamp(long.MinValue, 7);
        Assert.Equal(new Timestamp(InodeTime.MinSeconds), large.Modified);

        InodeRecord small = InodeRecord.Create(128);
        small.Modified = new Timestamp(uint.MaxValue, 7);
        Assert.Equal(new Timestamp(int.MaxValue), small.Modified);
        Assert.Null(small.Born);
    }

    [Theory]
    [InlineData(0UL, true, 0UL, false)]
    [InlineData(4096UL, false, 8UL, false)]
    [InlineData((1UL << 32) * 512, true, 1UL << 32, false)]
    [InlineData((1UL << 48) * 512, true, (1UL << 48) * 512 / 4096, true)]
    public void Storage_is_counted_in_sectors_until_that_does_not_fit(ulong bytes, bool hasHugeFile, ulong count, bool isHuge)
    {
        InodeRecord inode = InodeRecord.Create(256);
        Assert.True(inode.TrySetAllocatedBytes(bytes, 4096, hasHugeFile));
        byte[] raw = Bytes(inode);
        Assert.Equal(count, BitConverter.ToUInt32(raw, 0x1C) | ((ulong)BitConverter.ToUInt16(raw, 0x74) << 32));
        Assert.Equal(isHuge, inode.Is(InodeFlags.HugeFile));
        Assert.Equal(bytes, inode.GetAllocatedBytes(4096));
    }

    [Fact]
    public void Without_huge_file_32_bits_of_sectors_must_do() =>
        Assert.False(InodeRecord.Create(256).TrySetAllocatedBytes((1UL << 32) * 512, 4096, hasHugeFile: false));

    [Theory]
    [InlineData(8, 1)]
    [InlineData(255, 255)]
    [InlineData(256, 0)]
    [InlineData(4095, 1048575)]
    public void Device_numbers_are_kept(uint major, uint minor)
    {
        InodeRecord inode = InodeRecord.Create(256);
        inode.Device = (major, minor);
        Assert.Equal((major, minor), inode.Device);
    }

    [Theory]
    [InlineData(128)]
    [InlineData(256)]
    public void A_changed_bit_breaks_the_checksum(int size)
    {
        InodeRecord inode = InodeRecord.Create(size);
        inode.Mode = 0x81A4;
        byte[] raw = new byte[size];
        inode.WriteTo(raw, new InodeNumber(12), Checksum);
        VolumeGeometry geometry = SampleVolume.MakeGeometry();
        InodeRecord.Parse(raw, new InodeNumber(12), geometry, Checksum);
        AssertCorrupt("checksum", () => InodeRecord.Parse(raw, new InodeNumber(13), geometry, Checksum));
        for (int bit = 0; bit < size * 8; bit++)
        {
            byte[] damaged = (byte[])raw.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            AssertCorrupt("checksum", () => InodeRecord.Parse(damaged, new InodeNumber(12), geometry, Checksum));
        }
    }

    [Fact]
    public void Impossible_values_are_named()
    {
        VolumeGeometry geometry = SampleVolume.MakeGeometry();
        InodeRecord inode = InodeRecord.Create(256);
        inode.ExtraSize = 132;
        AssertCorrupt("i_extra_isize", () => InodeRecord.Parse(Bytes(inode), new InodeNumber(12), geometry, default));
        inode.ExtraSize = 30;
        AssertCorrupt("i_extra_isize", () => InodeRecord.Parse(Bytes(inode), new InodeNumber(12), geometry, default));
        inode.ExtraSize = 32;
        inode.Size = ulong.MaxValue;
        AssertCorrupt("i_size", () => InodeRecord.Parse(Bytes(inode), new InodeNumber(12), geometry, default));
        inode.Size = 0;
        inode.AttributeBlock = new VolumeBlock(geometry.BlockCount);
        AssertCorrupt("i_file_acl", () => InodeRecord.Parse(Bytes(inode), new InodeNumber(12), geometry, default));
    }

    private static byte[] Bytes(InodeRecord inode)
    {
        byte[] raw = new byte[inode.InodeSize];
        inode.WriteTo(raw, new InodeNumber(1), default);
        return raw;
    }

    private static void AssertCorrupt(string field, Action action)
    {
        var thrown = Assert.Throws<CorruptVolumeException>(action);
        Assert.Equal("inode", thrown.Structure);
        Assert.Equal(field, thrown.Field);
    }
}

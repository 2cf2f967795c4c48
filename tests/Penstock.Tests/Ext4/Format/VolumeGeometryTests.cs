using Penstock.Ext4.Format;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4.Format;

public sealed class VolumeGeometryTests
{
    [Fact]
    public void The_numbers_of_a_volume_of_1_GiB()
    {
        VolumeGeometry geometry = SampleVolume.MakeGeometry();
        Assert.Equal((8u, 512u, 1u, 64u), (geometry.GroupCount, geometry.InodeTableBlocks, geometry.DescriptorBlockCount, geometry.DescriptorsPerBlock));

        // dumpe2fs says 12949 overhead clusters of such a volume, 8192 of them its journal.
        Assert.Equal(12949u - 8192u, geometry.CountOverheadBlocks());
    }

    [Fact]
    public void Sparse_super_keeps_backups_in_powers_of_3_5_and_7()
    {
        VolumeGeometry geometry = With(s => { }, blocks: 32768 * 400);
        uint[] expected = [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343];
        Assert.Equal(expected, Enumerable.Range(0, 400).Select(g => (uint)g).Where(g => geometry.HasSuperblock(new BlockGroup(g))));
    }

    [Fact]
    public void Without_sparse_super_every_group_has_a_backup()
    {
        VolumeGeometry geometry = With(s => s.Features = s.Features.Without(ReadOnlyCompatFeatures.SparseSuper), blocks: 32768 * 10);
        Assert.All(Enumerable.Range(0, 10), g => Assert.True(geometry.HasSuperblock(new BlockGroup((uint)g))));
    }

    [Fact]
    public void Sparse_super2_names_its_two_groups()
    {
        VolumeGeometry geometry = With(
            s =>
            {
                s.Features = s.Features.With(CompatFeatures.SparseSuper2);
                s.BackupGroups = (4, 9);
            },
            blocks: 32768 * 10);
        Assert.Equal([0u, 4u, 9u], Enumerable.Range(0, 10).Select(g => (uint)g).Where(g => geometry.HasSuperblock(new BlockGroup(g))));
    }

    [Fact]
    public void Meta_groups_carry_their_descriptors_in_their_first_second_and_last_group()
    {
        VolumeGeometry geometry = With(
            s =>
            {
                s.Features = s.Features.With(IncompatFeatures.MetaBg).Without(CompatFeatures.ResizeInode);
                s.ReservedDescriptorBlocks = 0;
                s.FirstMetaBlockGroup = 1;
            },
            blocks: 32768UL * 200);
        Assert.Equal(new VolumeBlock(1), geometry.DescriptorBlock(0));
        Assert.Equal(new VolumeBlock(64UL * 32768), geometry.DescriptorBlock(1));
        Assert.Equal(new VolumeBlock(128UL * 32768), geometry.DescriptorBlock(2));
        Assert.Equal([64u, 65u, 127u, 128u, 129u, 191u, 192u, 193u], Enumerable.Range(64, 136).Select(g => (uint)g).Where(g => geometry.DescriptorBlocksAt(new BlockGroup(g)) == 1));
        Assert.Equal((new VolumeBlock(128UL * 32768), 5 * 64), geometry.LocateDescriptor(new BlockGroup(133)));
    }

    [Fact]
    public void Inodes_are_located_and_found_again()
    {
        VolumeGeometry geometry = SampleVolume.MakeGeometry();
        Assert.Equal(new InodeLocation(new BlockGroup(0), 0, 0, 0), geometry.Locate(new InodeNumber(1)));
        Assert.Equal(new InodeLocation(new BlockGroup(0), 8191, 511, 15 * 256), geometry.Locate(new InodeNumber(8192)));
        Assert.Equal(new InodeLocation(new BlockGroup(1), 0, 0, 0), geometry.Locate(new InodeNumber(8193)));
        Assert.Equal(new InodeNumber(8193), geometry.InodeAt(new BlockGroup(1), 0));
    }

    [Fact]
    public void The_last_group_may_be_short()
    {
        VolumeGeometry geometry = With(s => { }, blocks: (32768 * 3) + 1000);
        Assert.Equal((4u, 1000u, 32768u), (geometry.GroupCount, geometry.BlocksIn(new BlockGroup(3)), geometry.BlocksIn(new BlockGroup(2))));
        Assert.True(geometry.Contains(new VolumeBlock((32768 * 3) + 999), 1));
        Assert.False(geometry.Contains(new VolumeBlock((32768 * 3) + 999), 2));
        Assert.False(geometry.Contains(new VolumeBlock(5), ulong.MaxValue));
    }

    [Theory]
    [InlineData(0UL, 0, "0")]
    [InlineData(11UL, 0, "11")]
    [InlineData(12UL, 1, "12:0")]
    [InlineData(267UL, 1, "12:255")]
    [InlineData(268UL, 2, "13:0:0")]
    [InlineData(65803UL, 2, "13:255:255")]
    [InlineData(65804UL, 3, "14:0:0:0")]
    [InlineData(16843019UL, 3, "14:255:255:255")]
    public void The_way_through_indirect_blocks(ulong block, int levels, string expected)
    {
        Assert.True(IndirectMap.TryFind(new FileBlock(block), 1024, out IndirectPath path));
        Assert.Equal(levels, path.Levels);
        Assert.Equal(expected, string.Join(':', Enumerable.Range(-1, levels + 1).Select(i => i < 0 ? path.Slot : path[i])));
    }

    [Fact]
    public void Indirect_blocks_end_somewhere()
    {
        Assert.Equal(16843020UL, IndirectMap.Capacity(1024));
        Assert.False(IndirectMap.TryFind(new FileBlock(16843020), 1024, out _));
        Assert.Equal(uint.MaxValue, IndirectMap.Capacity(65536));
        Assert.False(IndirectMap.TryFind(new FileBlock(ulong.MaxValue), 65536, out _));
        VolumeGeometry geometry = SampleVolume.MakeGeometry();
        var location = new InodeBlockLocation(new InodeNumber(12), new VolumeBlock(7));
        Assert.Equal(default, IndirectMap.CheckPointer(0, 0, location, geometry));
        Assert.Throws<CorruptVolumeException>(() => IndirectMap.CheckPointer(262144, 0, location, geometry));
        Assert.Throws<CorruptVolumeException>(() => IndirectMap.CheckPointer(7, 0, location, geometry));
    }

    [Fact]
    public void Unknown_features_have_names_too()
    {
        Assert.Equal(["has_journal", "FEATURE_C30"], FeatureNames.Of(CompatFeatures.HasJournal | (CompatFeatures)(1u << 30)));
        Assert.Equal(["64bit", "FEATURE_I20"], FeatureNames.Of(IncompatFeatures.Is64Bit | (IncompatFeatures)(1u << 20)));
        Assert.Equal(["sparse_super", "FEATURE_R31"], FeatureNames.Of(ReadOnlyCompatFeatures.SparseSuper | (ReadOnlyCompatFeatures)(1u << 31)));
        Assert.True(FeatureNames.TryParse("extents", out FeatureSet extents));
        Assert.Equal((FeatureSet)IncompatFeatures.Extents, extents);
        Assert.False(FeatureNames.TryParse("nonsense", out _));
    }

    private static VolumeGeometry With(Action<Superblock> change, ulong blocks)
    {
        Superblock superblock = SampleVolume.MakeSuperblock();
        superblock.BlockCount = blocks;
        change(superblock);
        return new VolumeGeometry(superblock);
    }
}

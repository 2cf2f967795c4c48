using Penstock.Ext4.Format;
using Penstock.Ext4.Making;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Tests.Ext4.Making;

public sealed class MakingLayoutTests
{
    [Fact]
    public void Ranges_of_bits_are_those_of_a_naive_loop()
    {
        var random = new Random(17);
        for (int round = 0; round < 2000; round++)
        {
            byte[] bitmap = new byte[64];
            uint first = (uint)random.Next(512);
            uint count = (uint)random.Next(513 - (int)first);
            BitRange.Set(bitmap, first, count);
            for (uint bit = 0; bit < 512; bit++)
            {
                bool isSet = (bitmap[bit / 8] & (1 << (int)(bit % 8))) != 0;
                Assert.Equal(bit >= first && bit < first + count, isSet);
            }

            uint limit = (uint)random.Next(513);
            uint expected = (uint)Math.Max(0, Math.Min((long)first + count, limit) - first);
            Assert.Equal(expected, BitRange.CountSet(bitmap, limit));
        }
    }

    public static TheoryData<long, string, int, int> Volumes => new()
    {
        { 64L << 20, "", 0, 16 }, { 3L << 30, "", 0, 16 }, { 300L << 30, "", 0, 16 }, { 1L << 30, "^flex_bg", 1024, 16 },
        { 600L << 20, "meta_bg", 1024, 16 }, { 2L << 30, "bigalloc", 0, 16 }, { 20L << 30, "^sparse_super,^resize_inode", 0, 64 },
        { 1L << 30, "sparse_super2", 1024, 4 },
    };

    [Theory]
    [MemberData(nameof(Volumes))]
    public void No_two_structures_share_a_block_and_none_leaves_its_flex_group(long length, string features, int blockSize, int groupsPerFlex)
    {
        var options = new MakingOptions { Features = features, BlockSize = blockSize == 0 ? null : blockSize, GroupsPerFlex = groupsPerFlex };
        var geometry = new VolumeGeometry(MakingSizes.Choose(options, length));
        var layout = new FlexLayout(geometry);
        ulong last = 0;
        for (uint flex = 0; flex < FlexLayout.CountOf(geometry); flex++)
        {
            layout.MoveTo(flex);
            ulong start = geometry.FirstBlockOf(new BlockGroup(layout.FirstGroup)).Value;
            var lastGroup = new BlockGroup(layout.FirstGroup + (uint)layout.Count - 1);
            ulong end = geometry.FirstBlockOf(lastGroup).Value + geometry.BlocksIn(lastGroup);
            last = Math.Max(last, start);
            foreach (SpaceRun run in layout.Runs)
            {
                Assert.True(run.First.Value >= last && run.End.Value <= end, $"{run} after block {last}, up to {end}");
                last = run.End.Value;
            }
        }
    }

    [Fact]
    public void Taken_space_is_free_whole_and_never_given_twice()
    {
        var geometry = new VolumeGeometry(MakingSizes.Choose(new MakingOptions { Features = "bigalloc" }, 4L << 30));
        var space = new SpaceMap(geometry);
        var seen = new HashSet<ulong>();
        var random = new Random(5);
        for (int i = 0; i < 60; i++)
        {
            ulong count = (ulong)random.Next(1, 5000);
            List<SpaceRun> runs = space.Take(count, new VolumeBlock((ulong)random.NextInt64((long)geometry.BlockCount)));
            Assert.True(runs.Aggregate(0UL, (sum, run) => sum + run.Count) >= count);
            foreach (SpaceRun run in runs)
            {
                Assert.Equal(0UL, run.First.Value % (uint)geometry.ClusterRatio);
                for (ulong block = 0; block < run.Count; block++)
                {
                    Assert.True(seen.Add(run.First.Value + block));
                }
            }
        }
    }

    [Fact]
    public void More_than_there_is_cannot_be_taken()
    {
        var geometry = new VolumeGeometry(MakingSizes.Choose(new MakingOptions(), 64L << 20));
        var thrown = Assert.Throws<FileSystemException>(() => new SpaceMap(geometry).Take(geometry.BlockCount));
        Assert.Equal(IoFault.NoSpace, thrown.Fault);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(512)]
    [InlineData(131072)]
    public void A_wrong_block_size_is_refused(int blockSize) => AssertWrong(new MakingOptions { BlockSize = blockSize });

    [Fact]
    public void Wrong_values_are_refused()
    {
        AssertWrong(new MakingOptions { InodeSize = 100 });
        AssertWrong(new MakingOptions { InodeSize = 8192, BlockSize = 4096 });
        AssertWrong(new MakingOptions { ReservedPercent = 51 });
        AssertWrong(new MakingOptions { GroupsPerFlex = 3 });
        AssertWrong(new MakingOptions { ClusterSize = 16384 });
        AssertWrong(new MakingOptions { Features = "bigalloc", BlockSize = 4096, ClusterSize = 4096 });
        AssertWrong(new MakingOptions { BytesPerInode = 512 });
        AssertWrong(new MakingOptions { InodeCount = 0 });
        AssertWrong(new MakingOptions { InodeCount = uint.MaxValue });
        AssertWrong(new MakingOptions { Kind = VolumeKind.Ext2, BlockSize = 1024 }, 8L << 40);
    }

    [Theory]
    [InlineData(0L)]
    [InlineData(4096L)]
    [InlineData(40L << 10)]
    public void Too_small_is_no_space(long length) =>
        Assert.Equal(IoFault.NoSpace, Assert.Throws<FileSystemException>(() => MakingSizes.Choose(new MakingOptions(), length)).Fault);

    private static void AssertWrong(MakingOptions options, long length = 64L << 20)
    {
        var thrown = Assert.Throws<FileSystemException>(() => MakingSizes.Choose(options, length));
        Assert.Equal(IoFault.InvalidArgument, thrown.Fault);
    }
}

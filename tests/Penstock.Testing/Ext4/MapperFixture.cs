using Penstock.Ext4;
using Penstock.Ext4.Extents;
using Penstock.Ext4.Indirect;
using Penstock.Mapping;
using Xunit;

namespace Penstock.Testing.Ext4;

/// <summary>Files with their mappers and models on one volume.</summary>
internal sealed class MapperFixture(TestVolume volume)
{
    private readonly List<TestFile> _files = [];

    public TestVolume Volume => volume;

    public IReadOnlyList<TestFile> Files => _files;

    /// <summary>A new, empty file.</summary>
    public TestFile AddFile(bool hasExtents = true) => Add(new TestMapOwner(volume.Volume, (ulong)(12 + _files.Count), hasExtents));

    /// <summary>A file that is on the volume, and empty.</summary>
    public TestFile Add(TestMapOwner owner)
    {
        Ext4BlockMapper mapper = owner.HasExtents ? new ExtentMapper(volume.Volume, owner) : new IndirectMapper(volume.Volume, owner);
        var file = new TestFile(volume, owner, mapper);
        _files.Add(file);
        return file;
    }

    /// <summary>Commits, then compares what is on the device with the models, naively.</summary>
    public async Task CheckAsync()
    {
        await volume.CommitAsync();
        var inspector = new VolumeInspector(volume.Device);
        foreach (TestFile file in _files)
        {
            List<BlockRun> runs = file.Mapper is ExtentMapper
                ? [.. inspector.ReadTree(file.Owner.Number, file.Owner.Generation, file.Owner.BlockField).Select(ExtentTree.ToRun)]
                : inspector.ReadBlockMap(file.Owner.Number, file.Owner.BlockField);
            Assert.Equal(file.Model.Count, runs.Sum(r => (long)r.Count));
            Assert.All(runs, run => Assert.Null(file.Model.Contradiction(run)));

            TestMapOwner stored = await TestMapOwner.LoadAsync(volume.Volume, file.Owner.Number.Value);
            Assert.Equal(file.Owner.BlockField, stored.BlockField);
            Assert.Equal(file.Owner.Sectors, stored.Sectors);
        }

        inspector.CheckBitmaps();
        Assert.Empty(inspector.Problems);
        long clusterSectors = (long)volume.Geometry.BlockSize * volume.Geometry.ClusterRatio / 512;
        long used = inspector.Owners.Keys.Select(b => b >> volume.Geometry.LogClusterRatio).Distinct().Count() * clusterSectors;
        Assert.Equal(used, _files.Sum(f => f.Owner.Sectors));
        Assert.Equal(0UL, volume.Volume.Space.ReservedClusters);
        Assert.Equal(0UL, volume.Volume.Space.PendingClusters);
    }
}

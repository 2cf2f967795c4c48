using Penstock.Ext4.Format;

namespace Penstock.Tests.Ext4.Format;

/// <summary>A superblock as a new ext4 volume of 1 GiB has it.</summary>
internal static class SampleVolume
{
    public static Superblock MakeSuperblock()
    {
        Superblock made = Superblock.Create();
        made.Features = new FeatureSet(
            CompatFeatures.HasJournal | CompatFeatures.ExtAttr | CompatFeatures.ResizeInode | CompatFeatures.DirIndex,
            IncompatFeatures.FileType | IncompatFeatures.Extents | IncompatFeatures.Is64Bit | IncompatFeatures.FlexBg,
            ReadOnlyCompatFeatures.SparseSuper | ReadOnlyCompatFeatures.LargeFile | ReadOnlyCompatFeatures.HugeFile
            | ReadOnlyCompatFeatures.DirNlink | ReadOnlyCompatFeatures.ExtraIsize | ReadOnlyCompatFeatures.MetadataCsum);
        made.InodeCount = 65536;
        made.BlockCount = 262144;
        made.ReservedBlockCount = 13107;
        made.LogBlockSize = 2;
        made.LogClusterSize = 2;
        made.BlocksPerGroup = 32768;
        made.ClustersPerGroup = 32768;
        made.InodesPerGroup = 8192;
        made.FirstInode = 11;
        made.InodeSize = 256;
        made.DescriptorSize = 64;
        made.ReservedDescriptorBlocks = 127;
        made.LogGroupsPerFlex = 4;
        made.ChecksumType = Superblock.Crc32CChecksumType;
        made.WantExtraInodeSize = 32;
        made.MinExtraInodeSize = 32;
        made.Uuid = Guid.Parse("782988eb-980c-4a4c-8636-0ea7d2d6ca65");
        return made;
    }

    public static VolumeGeometry MakeGeometry() => new(MakeSuperblock());
}

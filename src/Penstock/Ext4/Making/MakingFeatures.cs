using Penstock.Ext4.Format;

namespace Penstock.Ext4.Making;

/// <summary>Chooses a new volume's features: those of the type, then the caller's changes in their order, then a check that they go together.</summary>
internal static class MakingFeatures
{
    private static readonly FeatureSet Base = new(
        CompatFeatures.ResizeInode | CompatFeatures.DirIndex | CompatFeatures.ExtAttr,
        IncompatFeatures.FileType,
        ReadOnlyCompatFeatures.SparseSuper | ReadOnlyCompatFeatures.LargeFile);

    private static readonly FeatureSet OfExt4 = new(
        CompatFeatures.HasJournal,
        IncompatFeatures.Extents | IncompatFeatures.FlexBg | IncompatFeatures.Is64Bit,
        ReadOnlyCompatFeatures.HugeFile | ReadOnlyCompatFeatures.MetadataCsum | ReadOnlyCompatFeatures.DirNlink | ReadOnlyCompatFeatures.ExtraIsize);

    private static readonly FeatureSet Makeable = new(
        CompatFeatures.HasJournal | CompatFeatures.ExtAttr | CompatFeatures.ResizeInode | CompatFeatures.DirIndex | CompatFeatures.SparseSuper2
        | CompatFeatures.StableInodes | CompatFeatures.OrphanFile,
        IncompatFeatures.FileType | IncompatFeatures.MetaBg | IncompatFeatures.Extents | IncompatFeatures.Is64Bit | IncompatFeatures.Mmp
        | IncompatFeatures.FlexBg | IncompatFeatures.EaInode | IncompatFeatures.MetadataCsumSeed | IncompatFeatures.LargeDir
        | IncompatFeatures.InlineData | IncompatFeatures.Encrypt | IncompatFeatures.CaseFold,
        ReadOnlyCompatFeatures.SparseSuper | ReadOnlyCompatFeatures.LargeFile | ReadOnlyCompatFeatures.HugeFile | ReadOnlyCompatFeatures.UninitBg
        | ReadOnlyCompatFeatures.DirNlink | ReadOnlyCompatFeatures.ExtraIsize | ReadOnlyCompatFeatures.Quota | ReadOnlyCompatFeatures.BigAlloc
        | ReadOnlyCompatFeatures.MetadataCsum | ReadOnlyCompatFeatures.Project | ReadOnlyCompatFeatures.Verity);

    /// <exception cref="FileSystemException">A feature is unknown, cannot be made, or needs one that is missing.</exception>
    public static FeatureSet Choose(MakingOptions options)
    {
        FeatureSet chosen = options.Kind switch
        {
            VolumeKind.Ext2 => Base,
            VolumeKind.Ext3 => Base.With(CompatFeatures.HasJournal),
            _ => Base.With(OfExt4),
        };
        FeatureSet asked = default;
        foreach (string word in options.Features.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            chosen = Apply(chosen, word, ref asked);
        }

        chosen = AddImplied(chosen, asked);
        CheckTogether(chosen, options);
        return chosen;
    }

    private static FeatureSet Apply(FeatureSet chosen, string word, ref FeatureSet asked)
    {
        if (word == "none")
        {
            return default;
        }

        bool isOff = word[0] is '^' or '-';
        string name = word.TrimStart('^', '-', '+');
        if (!FeatureNames.TryParse(name, out FeatureSet feature))
        {
            throw Wrong($"there is no feature {name}");
        }

        if (!isOff && !feature.Without(Makeable).IsEmpty)
        {
            throw new UnsupportedFeatureException([name], "a volume with this feature cannot be made");
        }

        asked = asked.With(feature);
        return isOff ? chosen.Without(feature) : chosen.With(feature);
    }

    // What mke2fs adds or drops by itself, unless the caller said otherwise.
    private static FeatureSet AddImplied(FeatureSet chosen, FeatureSet asked)
    {
        if (chosen.Has(IncompatFeatures.MetaBg) && !asked.Has(CompatFeatures.ResizeInode))
        {
            chosen = chosen.Without(CompatFeatures.ResizeInode);
        }

        // Checksums replace the older ones of uninit_bg.
        if (chosen.Has(ReadOnlyCompatFeatures.MetadataCsum) && chosen.Has(ReadOnlyCompatFeatures.UninitBg))
        {
            chosen = chosen.Without(ReadOnlyCompatFeatures.UninitBg);
        }

        return chosen;
    }

    private static void CheckTogether(FeatureSet chosen, MakingOptions options)
    {
        Need(chosen.Has(ReadOnlyCompatFeatures.BigAlloc), chosen.Has(IncompatFeatures.Extents), "bigalloc", "extent");
        Need(chosen.Has(IncompatFeatures.Is64Bit), chosen.Has(IncompatFeatures.Extents), "64bit", "extent");
        Need(chosen.Has(IncompatFeatures.MetadataCsumSeed), chosen.Has(ReadOnlyCompatFeatures.MetadataCsum), "metadata_csum_seed", "metadata_csum");
        Need(chosen.Has(ReadOnlyCompatFeatures.Project), options.InodeSize > InodeRecord.MinSize, "project", "inodes larger than 128 bytes");
        Need(chosen.Has(IncompatFeatures.InlineData), options.InodeSize > InodeRecord.MinSize, "inline_data", "inodes larger than 128 bytes");
        Need(chosen.Has(IncompatFeatures.InlineData), chosen.Has(CompatFeatures.ExtAttr), "inline_data", "ext_attr");
        Need(
            chosen.Has(CompatFeatures.ResizeInode),
            chosen.Has(ReadOnlyCompatFeatures.SparseSuper) || chosen.Has(CompatFeatures.SparseSuper2), "resize_inode", "sparse_super");
        if (chosen.Has(CompatFeatures.ResizeInode) && chosen.Has(IncompatFeatures.MetaBg))
        {
            throw Wrong("the features resize_inode and meta_bg exclude each other");
        }

        if (options.ClusterSize is not null && !chosen.Has(ReadOnlyCompatFeatures.BigAlloc))
        {
            throw Wrong("a cluster size needs the feature bigalloc");
        }
    }

    private static void Need(bool has, bool needed, string feature, string what)
    {
        if (has && !needed)
        {
            throw Wrong($"the feature {feature} needs {what}");
        }
    }

    private static FileSystemException Wrong(string message) => new(IoFault.InvalidArgument, message);
}

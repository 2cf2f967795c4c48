namespace Penstock.Ext4.Format;

/// <summary>The names mke2fs and dumpe2fs use for features, and "FEATURE_I20" for bit 20 of a set where that bit has no name.</summary>
internal static class FeatureNames
{
    private static readonly (CompatFeatures Feature, string Name)[] Compat =
    [
        (CompatFeatures.DirPrealloc, "dir_prealloc"), (CompatFeatures.ImagicInodes, "imagic_inodes"),
        (CompatFeatures.HasJournal, "has_journal"), (CompatFeatures.ExtAttr, "ext_attr"),
        (CompatFeatures.ResizeInode, "resize_inode"), (CompatFeatures.DirIndex, "dir_index"),
        (CompatFeatures.LazyBg, "lazy_bg"), (CompatFeatures.ExcludeBitmap, "snapshot_bitmap"),
        (CompatFeatures.SparseSuper2, "sparse_super2"), (CompatFeatures.FastCommit, "fast_commit"),
        (CompatFeatures.StableInodes, "stable_inodes"), (CompatFeatures.OrphanFile, "orphan_file"),
    ];

    private static readonly (IncompatFeatures Feature, string Name)[] Incompat =
    [
        (IncompatFeatures.Compression, "compression"), (IncompatFeatures.FileType, "filetype"),
        (IncompatFeatures.NeedsRecovery, "needs_recovery"), (IncompatFeatures.JournalDevice, "journal_dev"),
        (IncompatFeatures.MetaBg, "meta_bg"), (IncompatFeatures.Extents, "extent"),
        (IncompatFeatures.Is64Bit, "64bit"), (IncompatFeatures.Mmp, "mmp"),
        (IncompatFeatures.FlexBg, "flex_bg"), (IncompatFeatures.EaInode, "ea_inode"),
        (IncompatFeatures.DirData, "dirdata"), (IncompatFeatures.MetadataCsumSeed, "metadata_csum_seed"),
        (IncompatFeatures.LargeDir, "large_dir"), (IncompatFeatures.InlineData, "inline_data"),
        (IncompatFeatures.Encrypt, "encrypt"), (IncompatFeatures.CaseFold, "casefold"),
    ];

    private static readonly (ReadOnlyCompatFeatures Feature, string Name)[] ReadOnlyCompat =
    [
        (ReadOnlyCompatFeatures.SparseSuper, "sparse_super"), (ReadOnlyCompatFeatures.LargeFile, "large_file"),
        (ReadOnlyCompatFeatures.HugeFile, "huge_file"), (ReadOnlyCompatFeatures.UninitBg, "uninit_bg"),
        (ReadOnlyCompatFeatures.DirNlink, "dir_nlink"), (ReadOnlyCompatFeatures.ExtraIsize, "extra_isize"),
        (ReadOnlyCompatFeatures.Snapshot, "snapshot"), (ReadOnlyCompatFeatures.Quota, "quota"),
        (ReadOnlyCompatFeatures.BigAlloc, "bigalloc"), (ReadOnlyCompatFeatures.MetadataCsum, "metadata_csum"),
        (ReadOnlyCompatFeatures.Replica, "replica"), (ReadOnlyCompatFeatures.ReadOnly, "read-only"),
        (ReadOnlyCompatFeatures.Project, "project"), (ReadOnlyCompatFeatures.SharedBlocks, "shared_blocks"),
        (ReadOnlyCompatFeatures.Verity, "verity"), (ReadOnlyCompatFeatures.OrphanPresent, "orphan_present"),
    ];

    public static IReadOnlyList<string> Of(CompatFeatures set) => Names((uint)set, 'C', Compat, static f => (uint)f);

    public static IReadOnlyList<string> Of(IncompatFeatures set) => Names((uint)set, 'I', Incompat, static f => (uint)f);

    public static IReadOnlyList<string> Of(ReadOnlyCompatFeatures set) => Names((uint)set, 'R', ReadOnlyCompat, static f => (uint)f);

    /// <summary>All features of a volume in the order dumpe2fs prints them.</summary>
    public static IReadOnlyList<string> Of(FeatureSet set) => [.. Of(set.Compat), .. Of(set.Incompat), .. Of(set.ReadOnlyCompat)];

    /// <summary>Finds the feature that mke2fs calls <paramref name="name"/>, as a set of one.</summary>
    public static bool TryParse(string name, out FeatureSet feature)
    {
        // mke2fs accepts "extents" and "gdt_csum" too, because the kernel's messages say so.
        string canonical = name switch { "extents" => "extent", "gdt_csum" => "uninit_bg", _ => name };
        CompatFeatures compat = Array.Find(Compat, row => row.Name == canonical).Feature;
        IncompatFeatures incompat = Array.Find(Incompat, row => row.Name == canonical).Feature;
        ReadOnlyCompatFeatures readOnlyCompat = Array.Find(ReadOnlyCompat, row => row.Name == canonical).Feature;
        feature = new FeatureSet(compat, incompat, readOnlyCompat);
        return !feature.IsEmpty;
    }

    private static List<string> Names<T>(uint set, char letter, (T Feature, string Name)[] table, Func<T, uint> bitOf)
    {
        var names = new List<string>();
        for (int bit = 0; bit < 32; bit++)
        {
            uint mask = 1u << bit;
            if ((set & mask) != 0)
            {
                names.Add(Array.Find(table, row => bitOf(row.Feature) == mask).Name ?? $"FEATURE_{letter}{bit}");
            }
        }

        return names;
    }
}

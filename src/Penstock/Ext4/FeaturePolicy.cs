using Penstock.Ext4.Format;

namespace Penstock.Ext4;

/// <summary>What the features and the state of a volume allow: nothing, reading, or writing.</summary>
internal static class FeaturePolicy
{
    private const IncompatFeatures Readable =
        IncompatFeatures.FileType | IncompatFeatures.NeedsRecovery | IncompatFeatures.MetaBg | IncompatFeatures.Extents
        | IncompatFeatures.Is64Bit | IncompatFeatures.Mmp | IncompatFeatures.FlexBg | IncompatFeatures.EaInode
        | IncompatFeatures.MetadataCsumSeed | IncompatFeatures.LargeDir | IncompatFeatures.InlineData | IncompatFeatures.Encrypt
        | IncompatFeatures.CaseFold;

    private const ReadOnlyCompatFeatures Writable =
        ReadOnlyCompatFeatures.SparseSuper | ReadOnlyCompatFeatures.LargeFile | ReadOnlyCompatFeatures.HugeFile
        | ReadOnlyCompatFeatures.UninitBg | ReadOnlyCompatFeatures.DirNlink | ReadOnlyCompatFeatures.ExtraIsize
        | ReadOnlyCompatFeatures.BigAlloc | ReadOnlyCompatFeatures.MetadataCsum | ReadOnlyCompatFeatures.Project
        | ReadOnlyCompatFeatures.Verity | ReadOnlyCompatFeatures.OrphanPresent;

    /// <summary>Refuses a volume that cannot be read at all.</summary>
    /// <exception cref="UnsupportedFeatureException">An incompatible feature is not known; it is named.</exception>
    public static void RequireReadable(Superblock superblock, string device)
    {
        IReadOnlyList<string> unknown = FeatureNames.Of(superblock.Features.Incompat & ~Readable);
        if (unknown.Count > 0)
        {
            throw new UnsupportedFeatureException(unknown, $"{device}: the volume has features that this version cannot read");
        }
    }

    /// <summary>Why the volume cannot be written, or cannot be opened at all, and what to do about it; null if it can.</summary>
    public static string? DescribeLimit(Superblock superblock, string device)
    {
        try
        {
            RequireReadable(superblock, device);
            return FindReadOnlyReason(superblock, device);
        }
        catch (UnsupportedFeatureException e)
        {
            return e.Message;
        }
    }

    /// <summary>The features that keep a volume from being written, or null: its journal is not replayed either then.</summary>
    public static string? FindUnwritable(Superblock superblock, string device)
    {
        IReadOnlyList<string> unknown = FeatureNames.Of(superblock.Features.ReadOnlyCompat & ~Writable);
        string names = string.Join(',', unknown);
        return unknown.Count == 0 ? null
            : $"the volume has features that this version cannot write ({names}); turn them off with: tune2fs -O ^{names.Replace(",", ",^", StringComparison.Ordinal)} {device}";
    }

    /// <summary>Why a volume that was to be opened for writing, and whose journal is empty, is opened for reading only, or null.</summary>
    public static string? FindReadOnlyReason(Superblock superblock, string device)
    {
        if (FindUnwritable(superblock, device) is { } unwritable)
        {
            return unwritable;
        }

        if ((superblock.State & VolumeStates.HasErrors) != 0)
        {
            return "errors were found on the volume; run e2fsck";
        }

        return (superblock.State & VolumeStates.Clean) == 0 ? "the volume was not closed cleanly; run e2fsck" : null;
    }
}

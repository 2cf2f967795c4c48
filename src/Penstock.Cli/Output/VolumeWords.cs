using Penstock.Ext4.Format;

namespace Penstock.Cli.Output;

/// <summary>A superblock in the words of its users.</summary>
internal static class VolumeWords
{
    public static string Type(Superblock superblock)
    {
        bool isFourth = superblock.Has(IncompatFeatures.Extents | IncompatFeatures.FlexBg | IncompatFeatures.Is64Bit)
            || superblock.Has(ReadOnlyCompatFeatures.HugeFile | ReadOnlyCompatFeatures.UninitBg | ReadOnlyCompatFeatures.MetadataCsum);
        return isFourth ? "ext4" : superblock.Has(CompatFeatures.HasJournal) ? "ext3" : "ext2";
    }

    public static string State(Superblock superblock)
    {
        string state = superblock.State.HasFlag(VolumeStates.HasErrors) ? "with errors: run e2fsck"
            : superblock.State.HasFlag(VolumeStates.Clean) ? "clean"
            : "not clean: in use, or not closed; run e2fsck";
        return superblock.Has(IncompatFeatures.NeedsRecovery) ? $"{state}, journal needs recovery" : state;
    }

    public static IReadOnlyList<string> Features(Superblock superblock) => [.. FeatureNames.Of(superblock.Features)];

    /// <summary>"Free blocks" as a JSON name: "freeBlocks".</summary>
    public static string JsonName(string fact)
    {
        string[] words = fact.Split(' ', '-');
        words[0] = words[0].ToLowerInvariant();
        for (int i = 1; i < words.Length; i++)
        {
            words[i] = char.ToUpperInvariant(words[i][0]) + words[i][1..];
        }

        return string.Concat(words);
    }
}

namespace Penstock.Simulation.Devices;

/// <summary>The kinds of volume that runs begin with.</summary>
internal sealed record VolumeShape(string Name, VolumeKind Kind, int BlockSize, long Length, string Features)
{
    private const long Mebibyte = 1 << 20;
    private const int FewBlocks = 320;

    public static VolumeShape Ext2Small { get; } = new("ext2 1 KiB", VolumeKind.Ext2, 1024, 8 * Mebibyte, "");

    public static VolumeShape Ext2 { get; } = new("ext2 4 KiB", VolumeKind.Ext2, 4096, 16 * Mebibyte, "");

    public static VolumeShape Ext4Small { get; } = new("ext4 1 KiB", VolumeKind.Ext4, 1024, 8 * Mebibyte, "^has_journal");

    public static VolumeShape Ext4 { get; } = new("ext4 4 KiB", VolumeKind.Ext4, 4096, 16 * Mebibyte, "^has_journal");

    public static VolumeShape Journalled { get; } = new("ext4 4 KiB, journal", VolumeKind.Ext4, 4096, 16 * Mebibyte, "") { JournalLength = 4 * Mebibyte };

    public static VolumeShape JournalledSmall { get; } = new("ext4 1 KiB, journal", VolumeKind.Ext4, 1024, 8 * Mebibyte, "") { JournalLength = Mebibyte };

    /// <summary>The log goes round often, and changes wait for room in it.</summary>
    public static VolumeShape SmallLog { get; } = JournalledSmall with { Name = "ext4 1 KiB, small log", LogBlocks = FewBlocks };

    /// <summary>Block-mapped, with a small log.</summary>
    public static VolumeShape Ext3 { get; } = new("ext3 1 KiB, small log", VolumeKind.Ext3, 1024, 8 * Mebibyte, "") { JournalLength = Mebibyte, LogBlocks = FewBlocks };

    public static VolumeShape Inline { get; } = Ext4Small with { Name = "ext4 1 KiB, inline_data", Features = "^has_journal,inline_data" };

    public static VolumeShape InlineJournalled { get; } = SmallLog with { Name = "ext4 1 KiB, small log, inline_data", Features = "inline_data" };

    public static IReadOnlyList<VolumeShape> All { get; } = [Ext2Small, Ext2, Ext4Small, Ext4];

    public static IReadOnlyList<VolumeShape> Extents { get; } = [Ext4Small, Ext4];

    public static IReadOnlyList<VolumeShape> BlockMapped { get; } = [Ext2Small, Ext2];

    /// <summary>Small files lie in their inodes.</summary>
    public static IReadOnlyList<VolumeShape> WithInlineData { get; } = [Inline, InlineJournalled];

    public static IReadOnlyList<VolumeShape> WithJournal { get; } = [SmallLog, SmallLog, JournalledSmall, Journalled, Ext3];

    /// <summary>The bytes of the journal; null without one.</summary>
    public long? JournalLength { get; init; }

    /// <summary>Of the journal's blocks only so many are used; null for all.</summary>
    public int? LogBlocks { get; init; }

    public bool HasJournal => JournalLength is not null;

    /// <summary>Whether files have extents: holes are allocated unwritten, and blocks can be shifted.</summary>
    public bool HasExtents => Kind == VolumeKind.Ext4;
}

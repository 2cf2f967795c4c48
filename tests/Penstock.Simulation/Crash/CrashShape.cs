namespace Penstock.Simulation.Crash;

/// <summary>The kinds of volume that workloads run on.</summary>
internal sealed record CrashShape(string Name, VolumeKind Kind, int BlockSize, long Length, string Features, long? JournalLength)
{
    private const long Mebibyte = 1 << 20;
    private const int FewBlocks = 320;

    public static CrashShape Ext2 { get; } = new("ext2", VolumeKind.Ext2, 1024, 6 * Mebibyte, "", null);

    public static CrashShape NoJournal { get; } = new("ext4 without journal", VolumeKind.Ext4, 1024, 6 * Mebibyte, "^has_journal", null);

    public static CrashShape Ext3 { get; } = new("ext3", VolumeKind.Ext3, 1024, 8 * Mebibyte, "", Mebibyte);

    public static CrashShape Ext4Small { get; } = new("ext4, 1 KiB blocks", VolumeKind.Ext4, 1024, 8 * Mebibyte, "", Mebibyte);

    public static CrashShape Ext4 { get; } = new("ext4, 4 KiB blocks", VolumeKind.Ext4, 4096, 16 * Mebibyte, "", 4 * Mebibyte);

    public static CrashShape ValueInodes { get; } = new("ext4, ea_inode", VolumeKind.Ext4, 1024, 8 * Mebibyte, "ea_inode", Mebibyte);

    public static CrashShape Inline { get; } = new("ext4, inline_data", VolumeKind.Ext4, 1024, 8 * Mebibyte, "inline_data", Mebibyte);

    public static CrashShape Ext4Wrapping { get; } = Ext4Small with { Name = "ext4, small log", LogBlocks = FewBlocks };

    public static CrashShape Ext3Wrapping { get; } = Ext3 with { Name = "ext3, small log", LogBlocks = FewBlocks };

    public static IReadOnlyList<CrashShape> All { get; } = [Ext4Small, Ext4, Ext3, Ext4Wrapping, Ext3Wrapping, NoJournal, Ext2];

    public static IReadOnlyList<CrashShape> Extents { get; } = [Ext4Small, Ext4, Ext4Wrapping, NoJournal];

    public static IReadOnlyList<CrashShape> Crowded { get; } = [Ext4Small, Ext4Wrapping];

    public static IReadOnlyList<CrashShape> Wrapping { get; } = [Ext4Wrapping, Ext3Wrapping];

    private static CrashShape DataSmall { get; } = Ext4Small with { Name = "ext4, data in the log", Mode = DataMode.Journal };

    /// <summary>Volumes whose data goes through the log.</summary>
    public static IReadOnlyList<CrashShape> DataInLog { get; } =
    [
        DataSmall,
        DataSmall with { Name = "ext4, data in a small log", LogBlocks = FewBlocks },
        Ext4 with { Name = "ext4, 4 KiB blocks, data in the log", Mode = DataMode.Journal },
        Ext3 with { Name = "ext3, data in the log", Mode = DataMode.Journal },
    ];

    /// <summary>The same with a log that goes round again and again.</summary>
    public static IReadOnlyList<CrashShape> DataWrapping { get; } = [.. DataInLog.Where(static s => s.LogBlocks is not null)];

    /// <summary>Volumes whose journal does not wait for data.</summary>
    public static IReadOnlyList<CrashShape> DataUnordered { get; } =
        [Ext3 with { Name = "ext3, writeback", Mode = DataMode.Writeback }, Ext4Small with { Name = "ext4, writeback", Mode = DataMode.Writeback }];

    /// <summary>What the volume is opened with; null for what it says itself.</summary>
    public DataMode? Mode { get; init; }

    /// <summary>Of the journal's blocks only so many are used, so that the log goes round often: fewer than any mkfs makes; null for all.</summary>
    public int? LogBlocks { get; init; }

    public bool HasExtents => Kind == VolumeKind.Ext4;

    public bool HasJournal => JournalLength is not null;
}

namespace Penstock.Simulation.Crash;

/// <summary>The kinds of volume that workloads run on.</summary>
internal sealed record CrashShape(string Name, VolumeKind Kind, int BlockSize, long Length, string Features, long? JournalLength)
{
    private const long Mebibyte = 1 << 20;

    public static CrashShape Ext2 { get; } = new("ext2", VolumeKind.Ext2, 1024, 6 * Mebibyte, "", null);

    public static CrashShape NoJournal { get; } = new("ext4 without journal", VolumeKind.Ext4, 1024, 6 * Mebibyte, "^has_journal", null);

    public static CrashShape Ext3 { get; } = new("ext3", VolumeKind.Ext3, 1024, 8 * Mebibyte, "", Mebibyte);

    public static CrashShape Ext4Small { get; } = new("ext4, 1 KiB blocks", VolumeKind.Ext4, 1024, 8 * Mebibyte, "", Mebibyte);

    public static CrashShape Ext4 { get; } = new("ext4, 4 KiB blocks", VolumeKind.Ext4, 4096, 16 * Mebibyte, "", 4 * Mebibyte);

    public static CrashShape ValueInodes { get; } = new("ext4, ea_inode", VolumeKind.Ext4, 1024, 8 * Mebibyte, "ea_inode", Mebibyte);

    public static IReadOnlyList<CrashShape> All { get; } = [Ext4Small, Ext4, Ext3, NoJournal, Ext2];

    public static IReadOnlyList<CrashShape> Extents { get; } = [Ext4Small, Ext4, NoJournal];

    public bool HasExtents => Kind == VolumeKind.Ext4;

    public bool HasJournal => JournalLength is not null;
}

namespace Penstock.Simulation.Devices;

/// <summary>The kinds of volume that runs begin with.</summary>
internal sealed record VolumeShape(string Name, VolumeKind Kind, int BlockSize, long Length, string Features)
{
    private const long Mebibyte = 1 << 20;

    public static VolumeShape Ext2Small { get; } = new("ext2 1 KiB", VolumeKind.Ext2, 1024, 8 * Mebibyte, "");

    public static VolumeShape Ext2 { get; } = new("ext2 4 KiB", VolumeKind.Ext2, 4096, 16 * Mebibyte, "");

    public static VolumeShape Ext4Small { get; } = new("ext4 1 KiB", VolumeKind.Ext4, 1024, 8 * Mebibyte, "^has_journal");

    public static VolumeShape Ext4 { get; } = new("ext4 4 KiB", VolumeKind.Ext4, 4096, 16 * Mebibyte, "^has_journal");

    public static IReadOnlyList<VolumeShape> All { get; } = [Ext2Small, Ext2, Ext4Small, Ext4];

    public static IReadOnlyList<VolumeShape> Extents { get; } = [Ext4Small, Ext4];

    public static IReadOnlyList<VolumeShape> BlockMapped { get; } = [Ext2Small, Ext2];

    /// <summary>Whether files have extents: holes are allocated unwritten, and blocks can be shifted.</summary>
    public bool HasExtents => Kind == VolumeKind.Ext4;
}

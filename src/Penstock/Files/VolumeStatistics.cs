namespace Penstock;

/// <summary>What <c>statfs</c> tells of a volume.</summary>
/// <param name="BlockSize">The size of a block in bytes.</param>
/// <param name="Blocks">The number of blocks for data and metadata of files.</param>
/// <param name="FreeBlocks">Blocks that are free.</param>
/// <param name="AvailableBlocks">Blocks that are free for others than root.</param>
/// <param name="Inodes">The number of inodes.</param>
/// <param name="FreeInodes">Inodes that are free.</param>
public readonly record struct VolumeStatistics(
    int BlockSize, ulong Blocks, ulong FreeBlocks, ulong AvailableBlocks, ulong Inodes, ulong FreeInodes);

namespace Penstock;

/// <summary>One entry of a directory.</summary>
/// <param name="Name">The name. Names are bytes on the volume; what is not UTF-8 is shown with replacement characters.</param>
/// <param name="Kind">What it leads to; Unknown on volumes whose directories do not say.</param>
/// <param name="InodeNumber">The inode.</param>
public readonly record struct VolumeEntry(string Name, FileKind Kind, ulong InodeNumber);

namespace Penstock;

/// <summary>What is special about a <see cref="FileExtent"/>; as in FIEMAP.</summary>
[Flags]
public enum FileExtentFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The last extent of the file.</summary>
    Last = 1,

    /// <summary>Allocated but never written: reads as zeros.</summary>
    Unwritten = 2,

    /// <summary>Not allocated yet: only in the cache.</summary>
    Delayed = 4,

    /// <summary>In the inode itself.</summary>
    Inline = 8,
}

/// <summary>A piece of a file that is no hole.</summary>
/// <param name="Offset">Where it is in the file, in bytes.</param>
/// <param name="Device">Where it is on the volume, in bytes; 0 where it is delayed or inline.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Flags">What is special about it.</param>
public readonly record struct FileExtent(long Offset, long Device, long Length, FileExtentFlags Flags);

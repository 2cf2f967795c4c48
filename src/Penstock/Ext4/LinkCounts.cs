using Penstock.Ext4.Format;
using Penstock.Files;

namespace Penstock.Ext4;

/// <summary>
/// i_links_count. Every subdirectory counts in its parent; with dir_nlink an indexed directory that has too many stands at 1, for
/// "not counted".
/// </summary>
internal static class LinkCounts
{
    /// <summary>The most names of an inode, and the most links of a directory that is counted.</summary>
    public const uint Max = 65000;

    private const uint NotCounted = 1;

    /// <exception cref="FileSystemException">TooManyLinks.</exception>
    public static void RequireRoomForSubdirectory(Ext4Inode directory)
    {
        bool mayStopCounting = directory.Volume.Superblock.Has(ReadOnlyCompatFeatures.DirNlink) && directory.Is(InodeFlags.Index);
        if (directory.Attributes.Links >= Max && !mayStopCounting)
        {
            throw new FileSystemException(IoFault.TooManyLinks);
        }
    }

    public static void GainSubdirectory(Ext4Inode directory) => directory.Change(static (ref InodeAttributes a) =>
    {
        if (a.Links != NotCounted)
        {
            a.Links = a.Links >= Max ? NotCounted : a.Links + 1;
        }
    });

    public static void LoseSubdirectory(Ext4Inode directory) => directory.Change(static (ref InodeAttributes a) =>
    {
        // Two are the directory's own: its name and its ".".
        if (a.Links > 2)
        {
            a.Links--;
        }
    });
}

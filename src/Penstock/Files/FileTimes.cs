namespace Penstock.Files;

/// <summary>When which time of a file moves, as Linux does it.</summary>
internal static class FileTimes
{
    private const long SecondsOfADay = 24 * 60 * 60;

    /// <summary>
    /// A read: the access time moves if it is not younger than the last change, or a day old (relatime), unless the volume, the file or the
    /// request says otherwise.
    /// </summary>
    public static void Accessed(Inode inode, IoOptions options)
    {
        if (inode.FileSystem.IsReadOnly || (options & IoOptions.NoAccessTime) != 0)
        {
            return;
        }

        InodeAttributes attributes = inode.Attributes;
        if ((attributes.Flags & (FileFlags.NoAccessTime | FileFlags.Immutable)) != 0)
        {
            return;
        }

        Timestamp now = inode.FileSystem.Now;
        Timestamp access = attributes.AccessTime;
        if (access.CompareTo(attributes.ModifyTime) <= 0 || access.CompareTo(attributes.ChangeTime) <= 0
            || now.Seconds - access.Seconds >= SecondsOfADay)
        {
            inode.Change(now, static (ref InodeAttributes a, Timestamp time) => a.AccessTime = time);
        }
    }

    /// <summary>The content changed (Rule 2.21: the direct path too).</summary>
    public static void Modified(Inode inode) =>
        inode.Change(
            inode.FileSystem.Now,
            static (ref InodeAttributes a, Timestamp time) =>
            {
                a.ModifyTime = time;
                a.ChangeTime = time;
            });

    /// <summary>Something other than the content changed.</summary>
    public static void Changed(Inode inode) =>
        inode.Change(inode.FileSystem.Now, static (ref InodeAttributes a, Timestamp time) => a.ChangeTime = time);
}

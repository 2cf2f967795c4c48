namespace Penstock.Files;

/// <summary>What a file's flags and its format forbid, judged before anything changes.</summary>
internal static class FileChecks
{
    /// <summary>Files with one of these flags are not written.</summary>
    public const FileFlags Unchangeable = FileFlags.Immutable | FileFlags.Verity | FileFlags.Encrypted;

    /// <param name="inode">The file.</param>
    /// <param name="isWrittenBack">
    /// Whether the data was stored in the file through a mapping, and is only now written back: a file that has become immutable since keeps it.
    /// </param>
    /// <exception cref="FileSystemException">ReadOnly, NotPermitted.</exception>
    public static void MayChange(Inode inode, bool isWrittenBack = false)
    {
        if (inode.FileSystem.ReadOnlyReason is { } reason)
        {
            throw new FileSystemException(IoFault.ReadOnly, $"{inode}: the volume is read-only: {reason}");
        }

        FileFlags forbidding = isWrittenBack ? Unchangeable & ~FileFlags.Immutable : Unchangeable;
        if ((inode.Attributes.Flags & forbidding) != 0)
        {
            throw new FileSystemException(IoFault.NotPermitted, $"{inode} is immutable, sealed or encrypted");
        }
    }

    /// <exception cref="FileSystemException">As <see cref="MayChange"/>, and NotPermitted for an append-only file.</exception>
    public static void MayTruncate(Inode inode)
    {
        MayChange(inode);
        if ((inode.Attributes.Flags & FileFlags.AppendOnly) != 0)
        {
            throw new FileSystemException(IoFault.NotPermitted, $"{inode} is append-only");
        }
    }

    /// <summary>How many bytes of a write at <paramref name="offset"/> the format has room for.</summary>
    /// <exception cref="FileSystemException">FileTooLarge where it is none.</exception>
    public static long LimitLength(Inode inode, long offset, long length)
    {
        long room = inode.FileSystem.MaxFileSize - offset;
        if (room <= 0)
        {
            throw new FileSystemException(IoFault.FileTooLarge, $"{inode}: offset {offset} is beyond the largest file size");
        }

        return Math.Min(length, room);
    }
}

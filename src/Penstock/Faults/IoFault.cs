namespace Penstock;

/// <summary>
/// What went wrong, in the terms of POSIX. Between the system calls (Uring) and the wire (Fuse) no errno number exists, only this.
/// </summary>
public enum IoFault : byte
{
    /// <summary>Nothing went wrong.</summary>
    None = 0,

    /// <summary>The device failed, or a checksum did not match (EIO).</summary>
    DeviceFailed,

    /// <summary>The volume or its host has no space left (ENOSPC).</summary>
    NoSpace,

    /// <summary>A quota is exhausted (EDQUOT).</summary>
    QuotaExceeded,

    /// <summary>An argument is invalid: misaligned direct I/O, a negative offset (EINVAL).</summary>
    InvalidArgument,

    /// <summary>The file would grow beyond the largest size its format allows (EFBIG).</summary>
    FileTooLarge,

    /// <summary>The operation is not supported by this volume or file (EOPNOTSUPP).</summary>
    NotSupported,

    /// <summary>The volume, device or file is read-only (EROFS).</summary>
    ReadOnly,

    /// <summary>The volume contradicts its own format (EUCLEAN).</summary>
    Corrupt,

    /// <summary>The operation was cancelled before it began (ECANCELED).</summary>
    Cancelled,

    /// <summary>Memory is exhausted (ENOMEM).</summary>
    NoMemory,

    /// <summary>No such file or directory (ENOENT).</summary>
    NotFound,

    /// <summary>The name exists already (EEXIST).</summary>
    Exists,

    /// <summary>A path component is not a directory (ENOTDIR).</summary>
    NotADirectory,

    /// <summary>The operation does not apply to a directory (EISDIR).</summary>
    IsADirectory,

    /// <summary>The directory is not empty (ENOTEMPTY).</summary>
    NotEmpty,

    /// <summary>A name is too long (ENAMETOOLONG).</summary>
    NameTooLong,

    /// <summary>Too many links to one inode (EMLINK).</summary>
    TooManyLinks,

    /// <summary>Too many symbolic links were met on a path (ELOOP).</summary>
    TooManySymlinks,

    /// <summary>The operation is forbidden, by an immutable or append-only flag for example (EPERM).</summary>
    NotPermitted,

    /// <summary>The caller lacks the access right (EACCES).</summary>
    AccessDenied,

    /// <summary>The operation would cross volumes (EXDEV).</summary>
    CrossesVolumes,

    /// <summary>The extended attribute does not exist (ENODATA).</summary>
    NoAttribute,

    /// <summary>The supplied buffer is too small for the value (ERANGE).</summary>
    BufferTooSmall,

    /// <summary>No such data or hole beyond the offset, or no such device (ENXIO).</summary>
    NoSuchRange,

    /// <summary>The device or volume is in use (EBUSY).</summary>
    Busy,

    /// <summary>The handle was closed or does not allow the operation (EBADF).</summary>
    BadHandle,

    /// <summary>The inode no longer exists (ESTALE).</summary>
    Stale,

    /// <summary>A value is too large for its field (EOVERFLOW).</summary>
    Overflow,

    /// <summary>Too much was asked for at once (E2BIG).</summary>
    ArgumentTooBig,

    /// <summary>The ioctl or request is not known (ENOTTY).</summary>
    UnknownRequest,

    /// <summary>The operation would block (EAGAIN).</summary>
    WouldBlock,

    /// <summary>The file is a running program or a swap file (ETXTBSY).</summary>
    TextBusy,
}

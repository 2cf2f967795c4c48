using Penstock.Uring;

namespace Penstock.Devices.Host;

/// <summary>From the error numbers of the host to our own faults. Above the devices no error number exists.</summary>
internal static class HostFaults
{
    public static IoFault ToFault(this Errno error) => error switch
    {
        Errno.None => IoFault.None,
        Errno.ENOSPC => IoFault.NoSpace,
        Errno.EDQUOT => IoFault.QuotaExceeded,
        Errno.EFBIG => IoFault.FileTooLarge,
        Errno.EINVAL => IoFault.InvalidArgument,
        Errno.EOPNOTSUPP or Errno.ENOSYS => IoFault.NotSupported,
        Errno.EROFS => IoFault.ReadOnly,
        Errno.ENOMEM => IoFault.NoMemory,
        Errno.EPERM => IoFault.NotPermitted,
        Errno.EACCES => IoFault.AccessDenied,
        Errno.ENOENT => IoFault.NotFound,
        Errno.ENOTDIR => IoFault.NotADirectory,
        Errno.EISDIR => IoFault.IsADirectory,
        Errno.EEXIST => IoFault.Exists,
        Errno.EBUSY => IoFault.Busy,
        Errno.ETXTBSY => IoFault.TextBusy,
        Errno.EBADF => IoFault.BadHandle,
        Errno.ELOOP => IoFault.TooManySymlinks,
        Errno.ENAMETOOLONG => IoFault.NameTooLong,
        Errno.ECANCELED => IoFault.Cancelled,
        _ => IoFault.DeviceFailed,
    };
}

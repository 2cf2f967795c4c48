namespace Penstock.Uring;

/// <summary>No ring can be had here; the message says why, so that the caller can use another way and show the reason.</summary>
internal sealed class RingUnavailableException(Errno error, string reason) : Exception(reason)
{
    public Errno Error { get; } = error;

    public static RingUnavailableException ForSetup(Errno error) => new(error, error switch
    {
        Errno.ENOSYS => "the kernel has no io_uring",
        Errno.EPERM or Errno.EACCES => "io_uring is forbidden here (seccomp, or kernel.io_uring_disabled)",
        Errno.ENOMEM => "no memory for an io_uring within the memlock limit",
        Errno.EMFILE or Errno.ENFILE => "no file descriptor left for an io_uring",
        Errno.EINVAL => "the kernel's io_uring is too old (5.11 or later is needed)",
        _ => $"io_uring cannot be set up ({error})",
    });
}

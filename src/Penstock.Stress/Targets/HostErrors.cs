using Penstock.Devices.Host;
using Penstock.Uring;

namespace Penstock.Stress.Targets;

/// <summary>From the host's error numbers to faults, with those that a file meets and a device does not.</summary>
internal static class HostErrors
{
    private const int NoConnection = (int)Errno.ENOTCONN;

    public static IoFault ToFileFault(this Errno error) => error switch
    {
        Errno.ENXIO => IoFault.NoSuchRange,
        Errno.EXDEV => IoFault.CrossesVolumes,
        Errno.ESTALE or Errno.ENOTCONN or Errno.ECONNABORTED or Errno.ENODEV => IoFault.Stale,
        Errno.EAGAIN => IoFault.WouldBlock,
        Errno.EUCLEAN => IoFault.Corrupt,
        _ => error.ToFault(),
    };

    public static IoResult ToResult(this CallResult result) =>
        result.IsError ? IoResult.Failed(result.Error.ToFileFault()) : IoResult.Transferred(result.Value);

    /// <summary>The failure to reach a file, in words.</summary>
    public static FileSystemException Unreachable(string path, Errno error) => new(
        error.ToFileFault(), $"{path}: {((int)error == NoConnection ? "the file system is gone (not connected)" : error.ToFileFault().Describe())}");
}

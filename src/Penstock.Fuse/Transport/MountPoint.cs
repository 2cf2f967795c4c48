using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Penstock.Fuse.Protocol;

namespace Penstock.Fuse.Transport;

/// <summary>
/// Attaches /dev/fuse to a directory and takes it off again: by mount(2) as root, through the set-user-id program fusermount3
/// otherwise.
/// </summary>
internal sealed class MountPoint
{
    private const string DevicePath = "/dev/fuse";

    private readonly bool _usesFusermount;

    private MountPoint(string directory, bool usesFusermount)
    {
        Directory = directory;
        _usesFusermount = usesFusermount;
    }

    /// <summary>The full path of the directory.</summary>
    public string Directory { get; }

    /// <summary>Mounts; the file system answers once a session reads from the device returned.</summary>
    /// <exception cref="FileSystemException">It cannot be mounted there; the message says why and what to do.</exception>
    public static MountPoint Attach(string directory, FuseMountOptions options, out SafeFileHandle device)
    {
        // The path is made absolute but its links stay: the mount table shows the kernel's own view of it.
        string path = Path.GetFullPath(directory);
        if (!System.IO.Directory.Exists(path))
        {
            throw new FileSystemException(
                File.Exists(path) ? IoFault.NotADirectory : IoFault.NotFound, $"{directory}: a mount needs an existing directory");
        }

        bool usesFusermount = options.UsesFusermount || LinuxCalls.EffectiveUserId() != 0;
        device = usesFusermount ? Fusermount.Attach(path, options) : AttachDirectly(path, options);
        return new MountPoint(path, usesFusermount);
    }

    /// <summary>Takes the mount off. False says that files on it are open (EBUSY) and nothing has changed.</summary>
    /// <exception cref="FileSystemException">It cannot be unmounted for another reason.</exception>
    public bool TryDetach() => _usesFusermount ? Fusermount.TryDetach(Directory) : TryDetachDirectly(Directory);

    /// <summary>Takes off whatever is mounted on a directory, as root or as its owner.</summary>
    public static bool TryDetach(string directory) =>
        LinuxCalls.EffectiveUserId() == 0 ? TryDetachDirectly(directory) : Fusermount.TryDetach(directory);

    private static SafeFileHandle AttachDirectly(string path, FuseMountOptions options)
    {
        int descriptor = LinuxCalls.Open(DevicePath, LinuxCalls.OpenReadWrite | LinuxCalls.OpenCloseOnExec);
        if (descriptor < 0)
        {
            throw Failure(DevicePath, "cannot be opened; is the fuse module loaded?");
        }

        var device = new SafeFileHandle(descriptor, ownsHandle: true);
        ulong flags = (options.IsReadOnly ? LinuxCalls.MountReadOnly : 0)
            | (options.TrustsVolume ? 0 : LinuxCalls.MountNoSuid | LinuxCalls.MountNoDevices);
        string text = options.ForKernel(descriptor, LinuxCalls.UserId(), LinuxCalls.GroupId());
        if (LinuxCalls.Mount(options.Source, path, $"fuse.{options.Subtype}", flags, text) < 0)
        {
            FileSystemException failure = Failure(path, "cannot be mounted on");
            device.Dispose();
            throw failure;
        }

        return device;
    }

    private static bool TryDetachDirectly(string path)
    {
        // Never MNT_DETACH: it would return while programs still write.
        if (LinuxCalls.Unmount(path, LinuxCalls.UnmountNoFollow) == 0)
        {
            return true;
        }

        Errno error = new(Marshal.GetLastPInvokeError());
        return error == Errno.EBUSY ? false : throw Failure(path, "cannot be unmounted");
    }

    private static FileSystemException Failure(string path, string what)
    {
        int error = Marshal.GetLastPInvokeError();
        return new FileSystemException(new Errno(error).ToFault(), $"{path}: {what} ({Marshal.GetPInvokeErrorMessage(error)})");
    }
}

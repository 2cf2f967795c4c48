using Penstock.Devices.Host;
using Penstock.Devices.Partitions;
using Penstock.Uring;

namespace Penstock.Devices;

/// <summary>
/// Opens a device by its name, in the best way that the host allows: io_uring with O_DIRECT, else the portable way, which then says why.
/// Refuses what another Penstock or the kernel uses.
/// </summary>
internal static class DeviceOpener
{
    /// <summary>Opens a device.</summary>
    /// <exception cref="DeviceException">It does not exist, is no device, may not be accessed, or is in use.</exception>
    /// <exception cref="CorruptVolumeException">A partition was asked for, and the table is damaged.</exception>
    public static async ValueTask<BlockDevice> OpenAsync(string name, DeviceOptions options)
    {
        DeviceName parsed = DeviceName.Parse(name);
        if (parsed.Path is null)
        {
            var memory = new MemoryDevice(name, options.Scheduler, parsed.MemoryLength);
            return options.IsReadOnly ? new ReadOnlyDevice(memory) : memory;
        }

        BlockDevice disk = OpenHost(parsed.Path, options);
        if (parsed.Partition == 0)
        {
            return disk;
        }

        try
        {
            PartitionEntry entry = await PartitionTable.FindAsync(disk, name, parsed.Partition).ConfigureAwait(false);
            return new PartitionDevice(name, disk, entry);
        }
        catch
        {
            await disk.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static BlockDevice OpenHost(string path, DeviceOptions options)
    {
        string reason = "asked for";
        if (!options.IsPortable && TryOpenDirect(path, options, out reason) is { } direct)
        {
            return direct;
        }

        HostFile file = Acquire(path, options, HostOpenFlags.ReadOnly, out FileStatus status, out _)
            ?? throw new DeviceException(IoFault.NotSupported, path, "it cannot be opened");
        return new PortableDevice(path, options.Scheduler, file, HostGeometry.ForBuffered(file, status, options.IsReadOnly), reason);
    }

    private static UringDevice? TryOpenDirect(string path, DeviceOptions options, out string reason)
    {
        HostFile? file = Acquire(path, options, HostOpenFlags.Direct, out FileStatus status, out reason);
        if (file is null)
        {
            return null;
        }

        try
        {
            if (HostGeometry.ForDirect(file, status, options.IsReadOnly, out reason) is { } geometry)
            {
                return UringDevice.Create(path, options.Scheduler, file, geometry);
            }
        }
        catch (RingUnavailableException e)
        {
            reason = e.Message;
        }
        catch
        {
            file.Dispose();
            throw;
        }

        file.Dispose();
        return null;
    }

    /// <summary>Opens the file, locks it and makes sure that the kernel does not use it; null if it refuses O_DIRECT.</summary>
    private static HostFile? Acquire(string path, DeviceOptions options, HostOpenFlags extra, out FileStatus status, out string reason)
    {
        HostFile? file = Open(path, options, extra);
        reason = "the host refuses O_DIRECT on this file";
        status = default;
        if (file is null)
        {
            return null;
        }

        try
        {
            Check(file.GetStatus(out status), path, "its status cannot be read");
            CheckKind(status, path);
            Lock(file, path, options);
            if (KernelUse.Find(status, options.IsReadOnly) is { } use)
            {
                throw new DeviceException(IoFault.Busy, path, use);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static HostFile? Open(string path, DeviceOptions options, HostOpenFlags extra)
    {
        // Never O_NONBLOCK: a ring would then answer EAGAIN where it should wait.
        HostOpenFlags flags = extra | (options.IsReadOnly ? HostOpenFlags.ReadOnly : HostOpenFlags.ReadWrite);
        Errno error = HostFile.GetStatus(path, out FileStatus status);
        if (error == Errno.ENOENT && options is { CreateLength: { } length, IsReadOnly: false })
        {
            Create(path, length);
        }
        else
        {
            Check(error, path, null);
            CheckKind(status, path);
        }

        // O_EXCL on a block device: refused while the kernel has it mounted, in whatever namespace, or another program holds it.
        if (status.IsBlockDevice && !options.IsReadOnly)
        {
            flags |= HostOpenFlags.Exclusive;
        }

        HostFile? file = HostFile.Open(path, flags, out error);
        if (error == Errno.EINVAL && extra.HasFlag(HostOpenFlags.Direct))
        {
            return null;
        }

        Check(error, path, error == Errno.EBUSY ? "the kernel or another program has it open" : null);
        return file;
    }

    private static void CheckKind(in FileStatus status, string path)
    {
        if (status.IsDirectory)
        {
            throw new DeviceException(IoFault.IsADirectory, path, "it is a directory");
        }

        if (!status.IsRegularFile && !status.IsBlockDevice)
        {
            throw new DeviceException(IoFault.InvalidArgument, path, "it is neither a regular file nor a block device");
        }
    }

    private static void Create(string path, long length)
    {
        using HostFile? file = HostFile.Open(path, HostOpenFlags.ReadWrite | HostOpenFlags.Create | HostOpenFlags.Exclusive, out Errno error);
        Check(error, path, "it cannot be created");
        Check(file!.SetLength(length), path, $"it cannot be made {length} bytes long");
    }

    private static void Lock(HostFile file, string path, DeviceOptions options)
    {
        Errno error = file.TryLock(options.IsReadOnly ? FileLockKind.Shared : FileLockKind.Exclusive);
        if (error == Errno.EAGAIN)
        {
            throw new DeviceException(IoFault.Busy, path, "it is in use by another Penstock");
        }

        Check(error, path, "it cannot be locked");
    }

    private static void Check(Errno error, string path, string? what)
    {
        if (error == Errno.None)
        {
            return;
        }

        IoFault fault = error.ToFault();
        string described = fault.Describe();
        string advice = fault is IoFault.AccessDenied or IoFault.ReadOnly ? " (it can perhaps be opened read-only)" : string.Empty;
        throw new DeviceException(fault, path, what is null ? described + advice : $"{what}: {described}{advice}");
    }
}

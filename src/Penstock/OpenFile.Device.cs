using Penstock.Caching;
using Penstock.Devices;
using Penstock.Files;
using Penstock.Files.Raw;

namespace Penstock;

/// <content>A device as a file.</content>
public sealed partial class OpenFile
{
    private RawFileSystem? _device;

    /// <summary>Which path to the device under the file is in use, and why: io_uring with O_DIRECT, or the portable one.</summary>
    public string DeviceDescription => Inode.FileSystem.Device.Description;

    /// <summary>
    /// Opens a whole device as one file: an image file, a raw disk, a partition or memory, whatever it holds. Direct, buffered and asynchronous
    /// requests work as on a file of a volume; none of them takes a lock of the file (Rule 1.8), so overlapping requests have no order. The length never changes.
    /// </summary>
    /// <param name="name">An image file, a block device, <c>IMAGE#N</c> for a partition, or <c>mem:SIZE</c>.</param>
    /// <param name="access">For reading, writing or both. Without writing, others may read it at the same time.</param>
    /// <param name="options">The options of requests that name none.</param>
    /// <param name="cancellationToken">Honoured until the device is open.</param>
    /// <returns>The file. Disposing it writes back what is cached, and gives the device up.</returns>
    /// <exception cref="DeviceException">The device cannot be opened, may not be written, is in use, or fails.</exception>
    /// <exception cref="CorruptVolumeException">A partition was asked for, and the table is damaged.</exception>
    public static ValueTask<OpenFile> OpenDeviceAsync(
        string name, FileAccess access = FileAccess.ReadWrite, IoOptions options = IoOptions.None, CancellationToken cancellationToken = default) =>
        UserOperation<OpenFile>.Carry(OpenNamedAsync(name, access, options, cancellationToken), Execution.Scheduler.Default);

    /// <summary>Allocates memory that is registered for the device under the file, as <see cref="Volume.RentBuffer"/> does.</summary>
    /// <param name="length">The length in bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative.</exception>
    public AlignedBuffer RentBuffer(int length) => Inode.FileSystem.Device.RentBuffer(length);

    private static async ValueTask<OpenFile> OpenNamedAsync(string name, FileAccess access, IoOptions options, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        cancellationToken.ThrowIfCancellationRequested();
        var how = new DeviceOptions { IsReadOnly = (access & FileAccess.Write) == 0 };
        BlockDevice device = await DeviceOpener.OpenAsync(name, how).ConfigureAwait(false);
        if (device.IsReadOnly && !how.IsReadOnly)
        {
            await device.DisposeAsync().ConfigureAwait(false);
            throw new DeviceException(IoFault.ReadOnly, name, "it may not be written; open it for reading only");
        }

        return OpenDevice(device, PageCache.GetShared(device.Scheduler), access, options);
    }

    /// <summary>As <see cref="OpenDeviceAsync"/>, on a device, which then belongs to the file.</summary>
    internal static OpenFile OpenDevice(BlockDevice device, PageCache pageCache, FileAccess access, IoOptions options)
    {
        var whole = new RawFileSystem(device, pageCache);
        return new OpenFile(whole.Inode, access, options) { _device = whole };
    }

    private async ValueTask CloseDeviceAsync()
    {
        if (_device is { } whole)
        {
            try
            {
                await whole.DisposeAsync().ConfigureAwait(false);
            }
            finally
            {
                await whole.Device.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}

using Penstock.Devices;
using Penstock.Ext4.Checking;

namespace Penstock;

/// <summary>Checks whether a volume is consistent: every superblock, group, inode, block, directory, name, count and checksum.</summary>
public static class VolumeCheck
{
    /// <summary>Checks a volume that nobody has open for writing; not one byte of it is written.</summary>
    /// <param name="name">An image file, a block device, or <c>IMAGE#N</c> for a partition of it.</param>
    /// <param name="options">How; the defaults if null.</param>
    /// <param name="cancellationToken">Honoured between the passes of the check.</param>
    /// <returns>What was found. A volume that is damaged, however badly, is no error of the check.</returns>
    /// <exception cref="DeviceException">The device cannot be opened or is in use.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async ValueTask<CheckReport> RunAsync(
        string name, CheckOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        cancellationToken.ThrowIfCancellationRequested();
        options ??= CheckOptions.Default;
        BlockDevice device = await DeviceOpener.OpenAsync(name, new DeviceOptions { Scheduler = options.Scheduler, IsReadOnly = true })
            .ConfigureAwait(false);
        await using (device.ConfigureAwait(false))
        {
            return await VolumeChecker.RunAsync(device, options, cancellationToken).ConfigureAwait(false);
        }
    }
}

using Penstock.Devices;
using Penstock.Ext4.Checking;
using Penstock.Ext4.Repairing;
using Penstock.Files;

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
    public static ValueTask<CheckReport> RunAsync(
        string name, CheckOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= CheckOptions.Default;
        var how = new DeviceOptions { Scheduler = options.Scheduler, IsReadOnly = true };
        return UserOperation<CheckReport>.Carry(
            OnDeviceAsync(name, how, device => VolumeChecker.RunAsync(device, options, cancellationToken), cancellationToken), options.Scheduler);
    }

    /// <summary>
    /// Repairs a volume that nobody else has open: a journal that waits is replayed, then what a check finds is put right as e2fsck would. The whole
    /// repair is worked out in memory first (up to 96 MiB of changes) and written only if the volume is better for it; a repair that is cut off
    /// leaves a volume that can be repaired again.
    /// </summary>
    /// <param name="name">An image file, a block device, or <c>IMAGE#N</c> for a partition of it.</param>
    /// <param name="options">How, and where the overwritten contents go; the defaults if null.</param>
    /// <param name="cancellationToken">Honoured between passes, before the repair is written.</param>
    /// <returns>
    /// What was found and what became of it: <see cref="CheckVerdict.Clean"/> if nothing had to be written, <see cref="CheckVerdict.Repaired"/>, or
    /// <see cref="CheckVerdict.ErrorsLeft"/>; the problems that were put right say so.
    /// </returns>
    /// <exception cref="DeviceException">The device cannot be opened for writing, is in use, or fails.</exception>
    /// <exception cref="FileSystemException">The undo file exists already or cannot be written; nothing was changed that it does not hold.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static ValueTask<CheckReport> RepairAsync(
        string name, CheckOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= CheckOptions.Default;
        var how = new DeviceOptions { Scheduler = options.Scheduler };
        return UserOperation<CheckReport>.Carry(
            OnDeviceAsync(name, how, device => VolumeRepairer.RunAsync(device, options, cancellationToken), cancellationToken), options.Scheduler);
    }

    /// <summary>Puts a volume back, byte for byte, to what it was before a repair.</summary>
    /// <param name="name">The volume.</param>
    /// <param name="undoFile">The file that <see cref="CheckOptions.UndoFile"/> named in that repair.</param>
    /// <returns>How many pieces of 4 KiB were put back.</returns>
    /// <exception cref="DeviceException">The device cannot be opened for writing, is in use, or fails.</exception>
    /// <exception cref="FileSystemException">
    /// The file is damaged or another volume's, or the volume has been changed since; not one byte is written then.
    /// </exception>
    public static ValueTask<long> UndoAsync(string name, string undoFile)
    {
        ArgumentException.ThrowIfNullOrEmpty(undoFile);
        var how = new DeviceOptions();
        return UserOperation<long>.Carry(OnDeviceAsync(name, how, device => UndoRestore.RunAsync(device, undoFile), default), how.Scheduler);
    }

    private static async ValueTask<T> OnDeviceAsync<T>(
        string name, DeviceOptions how, Func<BlockDevice, ValueTask<T>> run, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        cancellationToken.ThrowIfCancellationRequested();
        BlockDevice device = await DeviceOpener.OpenAsync(name, how).ConfigureAwait(false);
        await using (device.ConfigureAwait(false))
        {
            return await run(device).ConfigureAwait(false);
        }
    }
}

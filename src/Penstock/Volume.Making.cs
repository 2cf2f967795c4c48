using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Ext4.Making;
using Penstock.Files;

namespace Penstock;

/// <content>Making volumes.</content>
public sealed partial class Volume
{
    /// <summary>Makes an empty volume; what was there before is lost. An image file is made, or lengthened to <see cref="MakingOptions.Length"/>.</summary>
    /// <param name="name">An image file, a block device, or <c>IMAGE#N</c> for a partition.</param>
    /// <param name="options">How to make it; as mke2fs makes an ext4 volume if null.</param>
    /// <param name="cancellationToken">Honoured until the work begins.</param>
    /// <exception cref="DeviceException">NotFound without a length to make the file, in use, read-only, or failed: what is there then is no volume.</exception>
    /// <exception cref="FileSystemException">The options contradict each other or the device's length.</exception>
    public static ValueTask MakeAsync(string name, MakingOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        cancellationToken.ThrowIfCancellationRequested();
        return UserOperation<Superblock>.CarryWithoutResult(MakeOnAsync(name, options ?? new MakingOptions()), Execution.Scheduler.Default);
    }

    /// <summary>As <see cref="MakeAsync(string, MakingOptions?, CancellationToken)"/>. A file that was made for it goes again if it fails.</summary>
    internal static async ValueTask<Superblock> MakeOnAsync(string name, MakingOptions options)
    {
        bool isNew = ImageFile.Prepare(name, options.Length);
        try
        {
            BlockDevice device = await DeviceOpener.OpenAsync(name, new DeviceOptions()).ConfigureAwait(false);
            await using (device.ConfigureAwait(false))
            {
                return await Ext4Maker.MakeAsync(device, options).ConfigureAwait(false);
            }
        }
        catch when (isNew)
        {
            File.Delete(name);
            throw;
        }
    }
}

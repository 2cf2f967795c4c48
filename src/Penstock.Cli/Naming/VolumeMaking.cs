using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Ext4.Making;

namespace Penstock.Cli.Naming;

/// <summary>Makes a volume on what a name leads to.</summary>
internal static class VolumeMaking
{
    /// <summary>Makes the file if need be, and the volume on it. A file that was made for it goes again if that fails.</summary>
    public static async Task<Superblock> MakeAsync(string name, long? length, MakingOptions options)
    {
        bool isNew = ImageFile.Prepare(name, length);
        try
        {
            BlockDevice device = await DeviceOpener.OpenAsync(name, new DeviceOptions());
            await using (device)
            {
                return await Ext4Maker.MakeAsync(device, options);
            }
        }
        catch when (isNew)
        {
            File.Delete(name);
            throw;
        }
    }
}

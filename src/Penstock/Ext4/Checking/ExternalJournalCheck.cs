using Penstock.Devices;
using Penstock.Ext4.Recovery;
using Penstock.Journal;

namespace Penstock.Ext4.Checking;

/// <summary>A journal on a device of its own: whether it is this volume's, and sound. What waits in it is not looked at.</summary>
internal static class ExternalJournalCheck
{
    public static async ValueTask RunAsync(CheckRun run)
    {
        string place = $"device {run.Superblock.JournalUuid}";
        if (run.Options.JournalDevice is not { } name)
        {
            run.Log.Problem("journal", place, "an external journal cannot be looked at from here");
            return;
        }

        BlockDevice device = await DeviceOpener.OpenAsync(name, new DeviceOptions { Scheduler = run.Options.Scheduler, IsReadOnly = true }).ConfigureAwait(false);
        await using (device.ConfigureAwait(false))
        {
            try
            {
                using LogArea area = await JournalFinder.OpenDeviceAsync(device, run.Superblock).ConfigureAwait(false);
                if (area.Superblock.NeedsRecovery)
                {
                    run.Log.Note("journal", place, "it waits for recovery; the volume is judged as it is without");
                }
            }
            catch (FileSystemException e) when (e is CorruptVolumeException or UnsupportedFeatureException)
            {
                run.Log.Problem("journal", place, e.Message);
            }
        }
    }
}

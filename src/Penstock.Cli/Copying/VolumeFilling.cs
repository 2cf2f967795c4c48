using Penstock.Cli.Output;

namespace Penstock.Cli.Copying;

/// <summary>Fills a new volume from a directory or a tar file, with everything that they know of their files.</summary>
internal static class VolumeFilling
{
    /// <summary>Whether everything was copied.</summary>
    public static async Task<bool> FillAsync(string name, string from, Terminal terminal, CancellationToken cancellationToken)
    {
        using var progress = new Progress(terminal, "filled with");

        // A volume that is still being made is made again, and not recovered, if this is interrupted: its journal would only write everything twice.
        await using Volume volume = await Volume.OpenAsync(name, new VolumeOptions { UsesJournal = false }, cancellationToken);
        var target = new VolumeTree(volume);
        if (!Directory.Exists(from))
        {
            await new TarFilling(target, progress, cancellationToken).FillAsync(from);
            return true;
        }

        var host = new HostTree();
        var job = new CopyJob(host, target, CopyOptions.Archive, terminal, progress, cancellationToken);
        TreeFile directory = await host.FindAsync(from, followLink: true)
            ?? throw new FileSystemException(IoFault.NotFound, $"{from}: {IoFault.NotFound.Describe()}");
        await job.CopyChildrenAsync(from, "/", directory);
        return !job.HasFailures;
    }
}

using Penstock.Cli.Host;
using Penstock.Cli.Output;

namespace Penstock.Cli.Naming;

/// <summary>Opens the volumes that a command names.</summary>
internal static class VolumeAccess
{
    /// <summary>For looking only: not one byte is written, and others may look at the same time.</summary>
    public static ValueTask<Volume> OpenForReadingAsync(Terminal terminal, string name, CancellationToken cancellationToken)
    {
        terminal.Subject = name;
        return Volume.OpenAsync(name, new VolumeOptions { IsReadOnly = true, JournalDevice = terminal.JournalDevice }, cancellationToken);
    }

    /// <summary>For changing: what is made belongs to who runs the command.</summary>
    public static async ValueTask<Volume> OpenForWritingAsync(Terminal terminal, string name, CancellationToken cancellationToken)
    {
        terminal.Subject = name;
        var options = new VolumeOptions
        {
            UserId = LinuxCalls.EffectiveUserId(),
            GroupId = LinuxCalls.EffectiveGroupId(),
            JournalDevice = terminal.JournalDevice,
        };
        Volume volume = await Volume.OpenAsync(name, options, cancellationToken);
        if (volume.ReadOnlyReason is { } reason)
        {
            await volume.DisposeAsync();
            throw new FileSystemException(IoFault.ReadOnly, $"{name}: cannot be written: {reason}");
        }

        return volume;
    }
}

using System.CommandLine;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>rm</c>: removes files of a volume.</summary>
internal sealed class RmCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string[]> _paths = new("VOLUME:/PATH") { Arity = ArgumentArity.OneOrMore, Description = "What to remove." };
    private readonly Option<bool> _recursive = new("--recursive", "-r", "-R") { Description = "Remove directories and what is in them." };
    private readonly Option<bool> _force = new("--force", "-f") { Description = "It is no error if something does not exist." };

    public RmCommand(Terminal terminal)
        : base("rm", "Remove files of a volume.")
    {
        _terminal = terminal;
        Arguments.Add(_paths);
        Options.Add(_recursive);
        Options.Add(_force);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        using var progress = new Progress(_terminal, "removed");
        foreach (IGrouping<string, VolumePath> group in parsed.GetRequiredValue(_paths).Select(VolumePath.Parse).GroupBy(p => p.Volume))
        {
            await using Volume volume = await VolumeAccess.OpenForWritingAsync(_terminal, group.Key, cancellationToken);
            foreach (VolumePath path in group)
            {
                _terminal.Subject = path.ToString();
                await RemoveNamedAsync(parsed, volume, path, progress, cancellationToken);
            }
        }

        return ExitCode.Success;
    }

    private async Task RemoveNamedAsync(
        ParseResult parsed, Volume volume, VolumePath path, Progress progress, CancellationToken cancellationToken)
    {
        FileDetails details;
        try
        {
            details = await volume.GetDetailsAsync(path.Path, followLink: false);
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NotFound && parsed.GetValue(_force))
        {
            return;
        }

        if (details.Kind != FileKind.Directory)
        {
            await volume.DeleteFileAsync(path.Path);
            progress.AddFile();
            return;
        }

        if (!parsed.GetValue(_recursive))
        {
            throw new FileSystemException(IoFault.IsADirectory, $"{path}: is a directory; remove it with -r");
        }

        if (path.Path.Trim('/').Length == 0)
        {
            throw new FileSystemException(IoFault.Busy, $"{path}: the root cannot be removed; name what is in it, or make the volume anew");
        }

        await RemoveTreeAsync(volume, path.Path.TrimEnd('/'), progress, cancellationToken);
    }

    private static async Task RemoveTreeAsync(Volume volume, string directory, Progress progress, CancellationToken cancellationToken)
    {
        var entries = new List<VolumeEntry>();
        await foreach (VolumeEntry entry in volume.EnumerateAsync(directory, cancellationToken))
        {
            entries.Add(entry);
        }

        foreach (VolumeEntry entry in entries)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string path = VolumePath.Join(directory, entry.Name);
            FileKind kind = entry.Kind == FileKind.Unknown ? (await volume.GetDetailsAsync(path, followLink: false)).Kind : entry.Kind;
            if (kind == FileKind.Directory)
            {
                await RemoveTreeAsync(volume, path, progress, cancellationToken);
            }
            else
            {
                await volume.DeleteFileAsync(path);
                progress.AddFile();
            }
        }

        await volume.DeleteDirectoryAsync(directory);
        progress.AddFile();
    }
}

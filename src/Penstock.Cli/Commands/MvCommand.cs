using System.CommandLine;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>mv</c>: renames within a volume.</summary>
internal sealed class MvCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string[]> _paths = new("FROM... TO")
    {
        Arity = new ArgumentArity(2, 100_000),
        Description = "VOLUME:/PATH of what to move, and of its new name or the directory to move it to.",
    };

    private readonly Option<bool> _noClobber = new("--no-clobber", "-n") { Description = "Replace nothing." };
    private readonly Option<bool> _exchange = new("--exchange") { Description = "Let the two names swap what they lead to." };

    public MvCommand(Terminal terminal)
        : base("mv", "Rename or move files within a volume.")
    {
        _terminal = terminal;
        Arguments.Add(_paths);
        Options.Add(_noClobber);
        Options.Add(_exchange);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        VolumePath[] paths = [.. parsed.GetRequiredValue(_paths).Select(VolumePath.Parse)];
        VolumePath to = paths[^1];
        if (paths.FirstOrDefault(p => p.Volume != to.Volume) is { Volume: { } other })
        {
            throw new UsageException($"'{other}' and '{to.Volume}' are two volumes; use cp -a, then rm");
        }

        await using Volume volume = await VolumeAccess.OpenForWritingAsync(_terminal, to.Volume, cancellationToken);
        if (parsed.GetValue(_exchange))
        {
            _terminal.Subject = paths[0].ToString();
            await volume.ExchangeAsync(paths[0].Path, to.Path);
            return ExitCode.Success;
        }

        bool isInto = await IsDirectoryAsync(volume, to.Path);
        if (paths.Length > 2 && !isInto)
        {
            throw new FileSystemException(IoFault.NotADirectory, $"{to}: not a directory, so several files cannot be moved there");
        }

        foreach (VolumePath from in paths[..^1])
        {
            _terminal.Subject = from.ToString();
            VolumePath target = isInto ? to.Append(from.Name) : to;
            await volume.MoveAsync(from.Path, target.Path, overwrite: !parsed.GetValue(_noClobber));
        }

        return ExitCode.Success;
    }

    private static async Task<bool> IsDirectoryAsync(Volume volume, string path) =>
        await volume.ExistsAsync(path) && (await volume.GetDetailsAsync(path)).Kind == FileKind.Directory;
}

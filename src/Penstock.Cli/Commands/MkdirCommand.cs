using System.CommandLine;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>mkdir</c>: makes directories in a volume.</summary>
internal sealed class MkdirCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string[]> _paths = new("VOLUME:/PATH") { Arity = ArgumentArity.OneOrMore, Description = "The new directories." };
    private readonly Option<bool> _parents = new("--parents", "-p") { Description = "Make the directories above, too; it is no error if they exist." };
    private readonly Option<string> _mode = new("--mode", "-m") { Description = "The permissions, in octal.", HelpName = "MODE" };

    public MkdirCommand(Terminal terminal)
        : base("mkdir", "Make directories in a volume.")
    {
        _terminal = terminal;
        Arguments.Add(_paths);
        Options.Add(_parents);
        Options.Add(_mode);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        UnixFileMode mode = parsed.GetValue(_mode) is { } text ? Octal.ParseMode(text) : (UnixFileMode)0x1ED;
        foreach (IGrouping<string, VolumePath> group in parsed.GetRequiredValue(_paths).Select(VolumePath.Parse).GroupBy(p => p.Volume))
        {
            await using Volume volume = await VolumeAccess.OpenForWritingAsync(_terminal, group.Key, cancellationToken);
            foreach (VolumePath path in group)
            {
                _terminal.Subject = path.ToString();
                await MakeAsync(volume, path.Path.TrimEnd('/'), mode, parsed.GetValue(_parents));
            }
        }

        return ExitCode.Success;
    }

    private static async Task MakeAsync(Volume volume, string path, UnixFileMode mode, bool makesParents)
    {
        if (!makesParents)
        {
            await volume.CreateDirectoryAsync(path.Length == 0 ? "/" : path, mode);
            return;
        }

        for (int end = path.IndexOf('/', 1); path.Length > 0; end = path.IndexOf('/', end + 1))
        {
            string part = end < 0 ? path : path[..end];
            try
            {
                await volume.CreateDirectoryAsync(part, end < 0 ? mode : (UnixFileMode)0x1ED);
            }
            catch (FileSystemException e) when (e.Fault == IoFault.Exists)
            {
                if ((await volume.GetDetailsAsync(part)).Kind != FileKind.Directory)
                {
                    throw;
                }
            }

            if (end < 0)
            {
                break;
            }
        }
    }
}

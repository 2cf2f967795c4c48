using System.CommandLine;
using Penstock.Cli.Copying;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>cat</c>: the content of files of a volume, on standard output.</summary>
internal sealed class CatCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string[]> _paths = new("VOLUME:/PATH") { Arity = ArgumentArity.OneOrMore, Description = "The files." };

    public CatCommand(Terminal terminal)
        : base("cat", "Print the content of files of a volume.")
    {
        _terminal = terminal;
        Arguments.Add(_paths);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        _terminal.Out.Flush();
        foreach (IGrouping<string, VolumePath> group in parsed.GetRequiredValue(_paths).Select(VolumePath.Parse).GroupBy(p => p.Volume))
        {
            await using Volume volume = await VolumeAccess.OpenForReadingAsync(_terminal, group.Key, cancellationToken);
            foreach (VolumePath path in group)
            {
                _terminal.Subject = path.ToString();
                await using TreeContent file = await new VolumeTree(volume).OpenAsync(path.Path, cancellationToken);
                await ContentPump.RunAsync(
                    file, long.MaxValue, (bytes, _, token) => _terminal.Bytes.WriteAsync(bytes, token), skipsHoles: false, cancellationToken);
            }
        }

        return ExitCode.Success;
    }
}

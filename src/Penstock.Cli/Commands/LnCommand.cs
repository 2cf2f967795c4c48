using System.CommandLine;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>ln</c>: makes hard and symbolic links in a volume.</summary>
internal sealed class LnCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string> _target = new("TARGET")
    {
        Description = "What the link leads to: VOLUME:/PATH, or with -s any text.",
    };

    private readonly Argument<string> _link = new("VOLUME:/LINK") { Description = "The new name." };
    private readonly Option<bool> _symbolic = new("--symbolic", "-s") { Description = "Make a symbolic link." };
    private readonly Option<bool> _force = new("--force", "-f") { Description = "Replace what has the name." };

    public LnCommand(Terminal terminal)
        : base("ln", "Make links in a volume.")
    {
        _terminal = terminal;
        Arguments.Add(_target);
        Arguments.Add(_link);
        Options.Add(_symbolic);
        Options.Add(_force);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string target = parsed.GetRequiredValue(_target);
        VolumePath link = VolumePath.Parse(parsed.GetRequiredValue(_link));
        bool isSymbolic = parsed.GetValue(_symbolic);
        VolumePath existing = default;
        if (VolumePath.TryParse(target, out VolumePath parsedTarget) && (!isSymbolic || parsedTarget.Volume == link.Volume))
        {
            existing = parsedTarget;
            target = parsedTarget.Path;
        }

        if (!isSymbolic && existing.Volume != link.Volume)
        {
            throw new UsageException($"'{target}' is not in '{link.Volume}'; a hard link stays in its volume");
        }

        await using Volume volume = await VolumeAccess.OpenForWritingAsync(_terminal, link.Volume, cancellationToken);
        _terminal.Subject = link.ToString();
        if (await volume.ExistsAsync(link.Path))
        {
            FileDetails found = await volume.GetDetailsAsync(link.Path, followLink: !parsed.GetValue(_force));
            if (found.Kind == FileKind.Directory)
            {
                link = link.Append(target.TrimEnd('/')[(target.TrimEnd('/').LastIndexOf('/') + 1)..]);
            }
            else if (parsed.GetValue(_force))
            {
                await volume.DeleteFileAsync(link.Path);
            }
        }

        await (isSymbolic ? volume.CreateSymbolicLinkAsync(link.Path, target) : volume.CreateHardLinkAsync(existing.Path, link.Path));
        return ExitCode.Success;
    }
}

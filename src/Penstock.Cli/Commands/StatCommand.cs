using System.CommandLine;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>stat</c>: all that is known of a file.</summary>
internal sealed class StatCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string[]> _paths = new("VOLUME:/PATH") { Arity = ArgumentArity.OneOrMore, Description = "The files." };
    private readonly Option<bool> _follow = new("--dereference", "-L") { Description = "Follow symbolic links." };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    public StatCommand(Terminal terminal)
        : base("stat", "Show all that is known of a file.")
    {
        _terminal = terminal;
        Arguments.Add(_paths);
        Options.Add(_follow);
        Options.Add(_json);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var found = new List<Found>();
        foreach (IGrouping<string, VolumePath> group in parsed.GetRequiredValue(_paths).Select(VolumePath.Parse).GroupBy(p => p.Volume))
        {
            await using Volume volume = await VolumeAccess.OpenForReadingAsync(_terminal, group.Key, cancellationToken);
            foreach (VolumePath path in group)
            {
                _terminal.Subject = path.ToString();
                found.Add(await FindAsync(volume, path, parsed.GetValue(_follow)));
            }
        }

        if (!parsed.GetValue(_json))
        {
            found.ForEach(Print);
            return ExitCode.Success;
        }

        JsonOutput.Write(_terminal, writer =>
        {
            writer.WriteStartArray();
            foreach (Found file in found)
            {
                writer.WriteStartObject();
                writer.WriteString("path", file.Path.ToString());
                DetailsJson.WriteFields(writer, file.Details, file.Target);
                writer.WriteStartArray("attributes");
                foreach (string name in file.Attributes)
                {
                    writer.WriteStringValue(name);
                }

                writer.WriteEndArray();
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        });
        return ExitCode.Success;
    }

    private static async Task<Found> FindAsync(Volume volume, VolumePath path, bool followLink)
    {
        FileDetails details = await volume.GetDetailsAsync(path.Path, followLink);
        string? target = details.Kind == FileKind.SymbolicLink ? await volume.ReadLinkAsync(path.Path) : null;
        return new Found(path, details, target, await volume.ListAttributesAsync(path.Path, followLink));
    }

    private void Print(Found file)
    {
        FileDetails d = file.Details;
        TextWriter output = _terminal.Out;
        output.WriteLine($"  File: {file.Path}{(file.Target is null ? string.Empty : $" -> {file.Target}")}");
        output.WriteLine($"  Size: {d.Length,-15} Allocated: {d.AllocatedBytes,-15} {ModeText.Name(d.Kind)}");
        output.WriteLine($" Inode: {d.InodeNumber,-15} Links: {d.Links}");
        if (d.Kind is FileKind.CharacterDevice or FileKind.BlockDevice)
        {
            (uint major, uint minor) = DeviceNumbers.Split(d.DeviceNumber);
            output.WriteLine($"Device: {major}, {minor}");
        }

        string octal = Convert.ToString((int)d.Permissions, 8).PadLeft(4, '0');
        output.WriteLine($"  Mode: {octal}/{ModeText.Describe(d.Kind, d.Permissions)}  Uid: {d.UserId}  Gid: {d.GroupId}");
        output.WriteLine($"Access: {TimeText.Full(d.AccessTime)}");
        output.WriteLine($"Modify: {TimeText.Full(d.ModifyTime)}");
        output.WriteLine($"Change: {TimeText.Full(d.ChangeTime)}");
        output.WriteLine($" Birth: {TimeText.Full(d.BirthTime)}");
        if (file.Attributes.Count > 0)
        {
            output.WriteLine($" Attrs: {string.Join(' ', file.Attributes)}");
        }
    }

    private sealed record Found(VolumePath Path, FileDetails Details, string? Target, IReadOnlyList<string> Attributes);
}

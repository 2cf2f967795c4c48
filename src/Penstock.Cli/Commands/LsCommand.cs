using System.CommandLine;
using System.Text.Json;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>ls</c>: what is in a directory of a volume.</summary>
internal sealed class LsCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string[]> _paths = new("VOLUME:/PATH")
    {
        Arity = ArgumentArity.OneOrMore,
        Description = "The directories or files.",
    };

    private readonly Option<bool> _long = new("-l") { Description = "Show kind, permissions, links, owner, size and time." };
    private readonly Option<bool> _all = new("--all", "-a") { Description = "Show names that begin with a dot, too." };
    private readonly Option<bool> _human = new("--human-readable", "-h") { Description = "Sizes as 1.5K, 20M, 3G." };
    private readonly Option<bool> _inode = new("--inode", "-i") { Description = "Show inode numbers." };
    private readonly Option<bool> _directory = new("--directory", "-d") { Description = "Show directories themselves, not what is in them." };
    private readonly Option<bool> _recursive = new("--recursive", "-R") { Description = "Show what is in directories below, too." };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    public LsCommand(Terminal terminal)
        : base("ls", "List what is in a directory of a volume.")
    {
        _terminal = terminal;
        Arguments.Add(_paths);
        Options.Add(_long);
        Options.Add(_all);
        Options.Add(_human);
        Options.Add(_inode);
        Options.Add(_directory);
        Options.Add(_recursive);
        Options.Add(_json);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string[] paths = parsed.GetRequiredValue(_paths);
        var items = new List<Listed>();
        foreach (IGrouping<string, VolumePath> group in paths.Select(VolumePath.ParseWithDefault).GroupBy(p => p.Volume))
        {
            await using Volume volume = await VolumeAccess.OpenForReadingAsync(_terminal, group.Key, cancellationToken);
            foreach (VolumePath path in group)
            {
                _terminal.Subject = path.ToString();
                await ListAsync(parsed, volume, path, items, cancellationToken);
            }
        }

        if (parsed.GetValue(_json))
        {
            JsonOutput.Write(_terminal, writer => WriteJson(writer, items));
        }
        else
        {
            Print(parsed, items, hasHeadings: paths.Length > 1 || parsed.GetValue(_recursive));
        }

        return ExitCode.Success;
    }

    private async Task ListAsync(ParseResult parsed, Volume volume, VolumePath path, List<Listed> items, CancellationToken cancellationToken)
    {
        // As in coreutils: with -l a link is shown itself, else what it leads to.
        FileDetails details = await volume.GetDetailsAsync(path.Path, followLink: path.MustBeDirectory || !parsed.GetValue(_long));
        if (details.Kind != FileKind.Directory || parsed.GetValue(_directory))
        {
            items.Add(new Listed(string.Empty, path.Path, details, await TargetAsync(volume, path.Path, details)));
            return;
        }

        var names = new List<string>();
        await foreach (VolumeEntry entry in volume.EnumerateAsync(path.Path, cancellationToken))
        {
            if (parsed.GetValue(_all) || !entry.Name.StartsWith('.'))
            {
                names.Add(entry.Name);
            }
        }

        names.Sort(string.CompareOrdinal);
        int first = items.Count;
        bool needsDetails = parsed.GetValue(_long) || parsed.GetValue(_inode) || parsed.GetValue(_json) || parsed.GetValue(_recursive);
        items.Add(new Listed(path.Path, null, null, null));
        foreach (string name in names)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string inside = VolumePath.Join(path.Path, name);
            FileDetails? found = needsDetails ? await volume.GetDetailsAsync(inside, followLink: false) : null;
            items.Add(new Listed(path.Path, name, found, parsed.GetValue(_long) ? await TargetAsync(volume, inside, found) : null));
        }

        if (parsed.GetValue(_recursive))
        {
            foreach (Listed item in items.GetRange(first, items.Count - first))
            {
                if (item.Details?.Kind == FileKind.Directory && item.Name is { } name)
                {
                    await ListAsync(parsed, volume, path.Append(name), items, cancellationToken);
                }
            }
        }
    }

    private static async ValueTask<string?> TargetAsync(Volume volume, string path, FileDetails? details) =>
        details?.Kind == FileKind.SymbolicLink ? await volume.ReadLinkAsync(path) : null;

    private void Print(ParseResult parsed, List<Listed> items, bool hasHeadings)
    {
        bool isLong = parsed.GetValue(_long);
        int sizeWidth = 0;
        int linkWidth = 0;
        foreach (Listed item in items)
        {
            if (isLong && item.Details is { } details)
            {
                sizeWidth = Math.Max(sizeWidth, SizeText(parsed, details).Length);
                linkWidth = Math.Max(linkWidth, details.Links.ToString().Length);
            }
        }

        bool isFirst = true;
        foreach (Listed item in items)
        {
            if (item.Name is null)
            {
                if (hasHeadings)
                {
                    _terminal.Out.WriteLine($"{(isFirst ? string.Empty : Environment.NewLine)}{item.Directory}:");
                }
            }
            else
            {
                PrintItem(parsed, item, sizeWidth, linkWidth);
            }

            isFirst = false;
        }
    }

    private void PrintItem(ParseResult parsed, Listed item, int sizeWidth, int linkWidth)
    {
        if (parsed.GetValue(_inode))
        {
            _terminal.Out.Write($"{item.Details!.InodeNumber,8} ");
        }

        if (parsed.GetValue(_long))
        {
            FileDetails d = item.Details!;
            _terminal.Out.Write(
                $"{ModeText.Describe(d.Kind, d.Permissions)} {d.Links.ToString().PadLeft(linkWidth)} {d.UserId,5} {d.GroupId,5} "
                + $"{SizeText(parsed, d).PadLeft(sizeWidth)} {TimeText.Short(d.ModifyTime)} ");
        }

        _terminal.Out.WriteLine(item.Target is null ? item.Name : $"{item.Name} -> {item.Target}");
    }

    private string SizeText(ParseResult parsed, FileDetails details)
    {
        if (details.Kind is FileKind.CharacterDevice or FileKind.BlockDevice)
        {
            (uint major, uint minor) = DeviceNumbers.Split(details.DeviceNumber);
            return $"{major}, {minor}";
        }

        return parsed.GetValue(_human) ? ByteCount.Describe(details.Length) : details.Length.ToString();
    }

    private static void WriteJson(Utf8JsonWriter writer, List<Listed> items)
    {
        writer.WriteStartArray();
        foreach (Listed item in items)
        {
            if (item is { Name: { } name, Details: { } details })
            {
                writer.WriteStartObject();
                writer.WriteString("name", name);
                if (item.Directory.Length > 0)
                {
                    writer.WriteString("directory", item.Directory);
                }

                DetailsJson.WriteFields(writer, details, item.Target);
                writer.WriteEndObject();
            }
        }

        writer.WriteEndArray();
    }

    /// <summary>A line of the listing, or, without a name, the heading of a directory.</summary>
    private sealed record Listed(string Directory, string? Name, FileDetails? Details, string? Target);
}

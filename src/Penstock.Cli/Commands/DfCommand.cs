using System.CommandLine;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>df</c>: how full volumes are.</summary>
internal sealed class DfCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string[]> _volumes = new("VOLUME") { Arity = ArgumentArity.OneOrMore, Description = "The volumes." };
    private readonly Option<bool> _human = new("--human-readable", "-h") { Description = "Sizes as 1.5K, 20M, 3G." };
    private readonly Option<bool> _inodes = new("--inodes", "-i") { Description = "Count inodes instead of blocks." };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    public DfCommand(Terminal terminal)
        : base("df", "Show how full volumes are.")
    {
        _terminal = terminal;
        Arguments.Add(_volumes);
        Options.Add(_human);
        Options.Add(_inodes);
        Options.Add(_json);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var volumes = new List<(string Name, string Format, VolumeStatistics Statistics)>();
        foreach (string name in parsed.GetRequiredValue(_volumes))
        {
            await using Volume volume = await VolumeAccess.OpenForReadingAsync(_terminal, VolumePath.ParseWithDefault(name).Volume, cancellationToken);
            volumes.Add((name, volume.FormatName, volume.Statistics));
        }

        if (parsed.GetValue(_json))
        {
            WriteJson(volumes);
            return ExitCode.Success;
        }

        var rows = new List<string[]> { parsed.GetValue(_inodes)
            ? ["Volume", "Type", "Inodes", "IUsed", "IFree", "IUse%"]
            : ["Volume", "Type", parsed.GetValue(_human) ? "Size" : "1K-blocks", "Used", "Avail", "Use%"], };
        foreach ((string name, string format, VolumeStatistics s) in volumes)
        {
            rows.Add(parsed.GetValue(_inodes)
                ? [name, format, s.Inodes.ToString(), (s.Inodes - s.FreeInodes).ToString(), s.FreeInodes.ToString(),
                    Percent(s.Inodes - s.FreeInodes, s.FreeInodes)]
                : [name, format, Size(parsed, s, s.Blocks), Size(parsed, s, s.Blocks - s.FreeBlocks), Size(parsed, s, s.AvailableBlocks),
                    Percent(s.Blocks - s.FreeBlocks, s.AvailableBlocks)]);
        }

        Table.Print(_terminal.Out, rows, leftColumns: 2);
        return ExitCode.Success;
    }

    private string Size(ParseResult parsed, VolumeStatistics statistics, ulong blocks)
    {
        ulong bytes = blocks * (ulong)statistics.BlockSize;
        return parsed.GetValue(_human) ? ByteCount.Describe((long)bytes) : (bytes / 1024).ToString();
    }

    /// <summary>Of what users can have, rounded up, as df does.</summary>
    private static string Percent(ulong used, ulong available) =>
        used + available == 0 ? "-" : $"{(((UInt128)used * 100) + used + available - 1) / (used + available)}%";

    private void WriteJson(List<(string Name, string Format, VolumeStatistics Statistics)> volumes) => JsonOutput.Write(_terminal, writer =>
    {
        writer.WriteStartArray();
        foreach ((string name, string format, VolumeStatistics s) in volumes)
        {
            writer.WriteStartObject();
            writer.WriteString("volume", name);
            writer.WriteString("type", format);
            writer.WriteNumber("blockSize", s.BlockSize);
            writer.WriteNumber("blocks", s.Blocks);
            writer.WriteNumber("freeBlocks", s.FreeBlocks);
            writer.WriteNumber("availableBlocks", s.AvailableBlocks);
            writer.WriteNumber("inodes", s.Inodes);
            writer.WriteNumber("freeInodes", s.FreeInodes);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });
}

using System.CommandLine;
using System.Text.Json;
using Penstock.Caching;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;
using Penstock.Devices;
using Penstock.Devices.Partitions;
using Penstock.Ext4;
using Penstock.Ext4.Format;

namespace Penstock.Cli.Commands;

/// <summary><c>info</c>: what a volume is, and by which way its device is reached. Reads the superblock, and the journal if that waits for recovery.</summary>
internal sealed class InfoCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string> _volume = new("VOLUME") { Description = "The volume, or a disk with partitions." };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    public InfoCommand(Terminal terminal)
        : base("info", "Show what a volume is.")
    {
        _terminal = terminal;
        Arguments.Add(_volume);
        Options.Add(_json);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string name = VolumePath.ParseWithDefault(parsed.GetRequiredValue(_volume)).Volume;
        _terminal.Subject = name;
        BlockDevice device = await DeviceOpener.OpenAsync(name, new DeviceOptions { IsReadOnly = true });
        await using (device)
        {
            Superblock? superblock = await ExistingVolume.ReadAsync(device);
            IReadOnlyList<PartitionEntry> partitions = superblock is null ? await ReadPartitionsAsync(device) : [];
            if (superblock is null && partitions.Count == 0)
            {
                throw new CorruptVolumeException("superblock", "offset 1024", "s_magic", "not 0xEF53");
            }

            List<(string Name, object Value)> facts = [.. DescribeDevice(device)];
            if (superblock is not null)
            {
                facts.AddRange(DescribeVolume(superblock, name));
                facts.Add(("Journal", await DescribeJournalAsync(device, superblock)));
            }

            if (parsed.GetValue(_json))
            {
                JsonOutput.Write(_terminal, writer => WriteJson(writer, facts, partitions));
            }
            else
            {
                Print(facts, partitions, name);
            }
        }

        return ExitCode.Success;
    }

    /// <summary>What has no table has no partitions; that it has no volume either is what matters then.</summary>
    private static async Task<IReadOnlyList<PartitionEntry>> ReadPartitionsAsync(BlockDevice device)
    {
        try
        {
            return await PartitionTable.ReadAsync(device);
        }
        catch (CorruptVolumeException)
        {
            return [];
        }
    }

    private static List<(string Name, object Value)> DescribeDevice(BlockDevice device) =>
    [
        ("Device", device.Name),
        ("Path", device.Description),
        ("Length", device.Length),
    ];

    private static List<(string Name, object Value)> DescribeVolume(Superblock superblock, string name)
    {
        int blockSize = superblock.BlockSize;
        string? limit = FeaturePolicy.DescribeLimit(superblock, name);
        return
        [
            ("Type", VolumeWords.Type(superblock)),
            ("Label", superblock.VolumeName),
            ("UUID", superblock.Uuid.ToString()),
            ("State", VolumeWords.State(superblock)),
            .. limit is null ? Array.Empty<(string, object)>() : [("Read-only", limit)],
            ("Features", VolumeWords.Features(superblock)),
            ("Block size", (long)blockSize),
            ("Blocks", (long)superblock.BlockCount),
            ("Free blocks", (long)superblock.FreeBlockCount),
            ("Reserved blocks", (long)superblock.ReservedBlockCount),
            ("Inodes", (long)superblock.InodeCount),
            ("Free inodes", (long)superblock.FreeInodeCount),
            ("Inode size", (long)superblock.InodeSize),
            ("Created", TimeText.Iso(superblock.Created)),
            ("Last mounted on", superblock.LastMountedOn),
            ("Last written", TimeText.Iso(superblock.LastWritten)),
            ("Last checked", TimeText.Iso(superblock.LastChecked)),
        ];
    }

    /// <summary>Where the journal is, and what waits in it.</summary>
    private async Task<string> DescribeJournalAsync(BlockDevice device, Superblock superblock)
    {
        if (!superblock.Has(CompatFeatures.HasJournal))
        {
            return "none";
        }

        string place = superblock.JournalInode != 0 ? $"inode {superblock.JournalInode}" : $"device with UUID {superblock.JournalUuid}";
        if (!superblock.Has(IncompatFeatures.NeedsRecovery))
        {
            return place;
        }

        try
        {
            await using BlockDevice? journal = _terminal.JournalDevice is { } name ? await DeviceOpener.OpenAsync(name, new DeviceOptions { IsReadOnly = true }) : null;
            var options = new Ext4OpenOptions { IsReadOnly = true, JournalDevice = journal };
            await using Ext4FileSystem fileSystem = await Ext4FileSystem.OpenAsync(device, PageCache.GetShared(device.Scheduler), options);
            return $"{place}; it waits for recovery: {fileSystem.RecoveryDescription ?? fileSystem.JournalProblem ?? "it is empty"}";
        }
        catch (FileSystemException e)
        {
            return $"{place}; it waits for recovery, and cannot be looked at: {e.Message}";
        }
    }

    private void Print(List<(string Name, object Value)> facts, IReadOnlyList<PartitionEntry> partitions, string name)
    {
        foreach ((string fact, object value) in facts)
        {
            string text = value is IEnumerable<string> list ? string.Join(' ', list) : value.ToString()!;
            string size = fact == "Length" ? $" ({ByteCount.Describe((long)value)})" : string.Empty;
            _terminal.Out.WriteLine($"{fact + ":",-17}{text}{size}");
        }

        foreach (PartitionEntry partition in partitions)
        {
            _terminal.Out.WriteLine(
                $"Partition {partition.Number + ":",-7}{partition.Length} bytes at {partition.Offset} ({partition.Scheme}); "
                + $"name it {name}#{partition.Number}");
        }
    }

    private static void WriteJson(Utf8JsonWriter writer, List<(string Name, object Value)> facts, IReadOnlyList<PartitionEntry> partitions)
    {
        writer.WriteStartObject();
        foreach ((string fact, object value) in facts)
        {
            writer.WritePropertyName(VolumeWords.JsonName(fact));
            switch (value)
            {
                case long number:
                    writer.WriteNumberValue(number);
                    break;
                case IEnumerable<string> list:
                    writer.WriteStartArray();
                    foreach (string item in list)
                    {
                        writer.WriteStringValue(item);
                    }

                    writer.WriteEndArray();
                    break;
                default:
                    writer.WriteStringValue(value.ToString());
                    break;
            }
        }

        if (partitions.Count > 0)
        {
            writer.WriteStartArray("partitions");
            foreach (PartitionEntry partition in partitions)
            {
                writer.WriteStartObject();
                writer.WriteNumber("number", partition.Number);
                writer.WriteNumber("offset", partition.Offset);
                writer.WriteNumber("length", partition.Length);
                writer.WriteString("scheme", partition.Scheme);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }
}

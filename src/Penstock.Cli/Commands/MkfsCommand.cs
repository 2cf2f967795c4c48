using System.CommandLine;
using Penstock.Cli.Copying;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;
using Penstock.Ext4.Format;

namespace Penstock.Cli.Commands;

/// <summary><c>mkfs</c>: makes a volume, and fills it if asked.</summary>
internal sealed class MkfsCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string> _volume = new("VOLUME") { Description = "An image file, which is made if need be, a device, or IMAGE#N." };
    private readonly Argument<string?> _size = new("SIZE")
    {
        Arity = ArgumentArity.ZeroOrOne,
        Description = "The size of the volume, such as 512M or 15T; all of the device or file if left out.",
    };

    private readonly Option<string> _type = new("--type", "-t") { Description = "ext2, ext3 or ext4 (the default).", HelpName = "TYPE" };
    private readonly Option<string> _block = new("--block-size", "-b") { Description = "Bytes of a block: 1024 to 65536.", HelpName = "SIZE" };
    private readonly Option<string> _from = new("--from", "-d") { Description = "Fill it from a directory or a tar file.", HelpName = "DIR|TAR" };
    private readonly Option<string[]> _features = new("--features", "-O") { Description = "Features to switch on, or off with ^.", HelpName = "LIST" };
    private readonly Option<string> _label = new("--label", "-L") { Description = "The volume's name.", HelpName = "LABEL" };
    private readonly Option<string> _uuid = new("--uuid", "-U") { Description = "The volume's identity.", HelpName = "UUID" };
    private readonly Option<string> _ratio = new("--bytes-per-inode", "-i") { Description = "One inode for so many bytes.", HelpName = "SIZE" };
    private readonly Option<long?> _inodes = new("--inodes", "-N") { Description = "The number of inodes.", HelpName = "NUMBER" };
    private readonly Option<int?> _inodeSize = new("--inode-size", "-I") { Description = "Bytes of an inode.", HelpName = "BYTES" };
    private readonly Option<double?> _reserved = new("--reserved", "-m") { Description = "Percent that only root may take.", HelpName = "PERCENT" };
    private readonly Option<bool> _quiet = new("--quiet", "-q") { Description = "Say nothing." };
    private readonly Option<bool> _force = new("--force", "-F") { Description = "Ask nobody about what is on it now." };

    public MkfsCommand(Terminal terminal)
        : base("mkfs", "Make a volume.")
    {
        _terminal = terminal;
        Arguments.Add(_volume);
        Arguments.Add(_size);
        foreach (Option option in (Option[])[_type, _block, _from, _features, _label, _uuid, _ratio, _inodes, _inodeSize, _reserved, _quiet, _force])
        {
            Options.Add(option);
        }

        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string name = parsed.GetRequiredValue(_volume);
        long? length = parsed.GetValue(_size) is { } size ? ByteSize.Parse(size) : null;
        MakingOptions options = ToOptions(parsed) with { Length = length };
        string? from = parsed.GetValue(_from);
        if (from is not null && !File.Exists(from) && !Directory.Exists(from))
        {
            throw new FileSystemException(IoFault.NotFound, $"{from}: {IoFault.NotFound.Describe()}; -d takes a directory or a tar file");
        }

        if (!parsed.GetValue(_force) && _terminal.IsWatched && await ExistingVolume.DescribeAsync(name) is { } existing)
        {
            throw new FileSystemException(IoFault.Exists, $"{name}: has {existing}; use -F to make a new volume in its place");
        }

        _terminal.Subject = name;
        Superblock superblock = await MakeAsync(name, options);
        bool hasFailures = from is not null && !await VolumeFilling.FillAsync(name, from, _terminal, cancellationToken);
        if (!parsed.GetValue(_quiet))
        {
            _terminal.Out.WriteLine(
                $"{name}: {options.Kind.ToString().ToLowerInvariant()}, {superblock.BlockCount} blocks of {superblock.BlockSize} bytes, "
                + $"{superblock.InodeCount} inodes, UUID {superblock.Uuid}");
        }

        return hasFailures ? ExitCode.Failure : ExitCode.Success;
    }

    private static async Task<Superblock> MakeAsync(string name, MakingOptions options)
    {
        try
        {
            return await Volume.MakeOnAsync(name, options);
        }
        catch (DeviceException e) when (e.Fault == IoFault.NotFound && options.Length is null)
        {
            throw new UsageException($"{name} does not exist; say how large to make it, such as: penstock mkfs {name} 1G");
        }
    }

    private MakingOptions ToOptions(ParseResult parsed) => new MakingOptions
    {
        Kind = parsed.GetValue(_type) switch
        {
            null or "ext4" => VolumeKind.Ext4,
            "ext3" => VolumeKind.Ext3,
            "ext2" => VolumeKind.Ext2,
            string other => throw new UsageException($"'{other}' cannot be made; the types are ext2, ext3 and ext4"),
        },
        BlockSize = parsed.GetValue(_block) is { } block ? ParseBlockSize(block) : null,
        Features = string.Join(',', parsed.GetValue(_features) ?? []),
        Label = parsed.GetValue(_label) ?? string.Empty,
        Uuid = parsed.GetValue(_uuid) is { } uuid ? ParseUuid(uuid) : null,
        BytesPerInode = parsed.GetValue(_ratio) is { } ratio ? ByteSize.Parse(ratio) : null,
        InodeCount = parsed.GetValue(_inodes),
        InodeSize = parsed.GetValue(_inodeSize) ?? 256,
        ReservedPercent = parsed.GetValue(_reserved) ?? 5,
    };

    private static int ParseBlockSize(string text) => ByteSize.Parse(text) is var bytes and >= 1024 and <= 65536 && (bytes & (bytes - 1)) == 0
        ? (int)bytes
        : throw new UsageException($"'{text}' is no block size; it is a power of two from 1024 to 65536");

    private static Guid ParseUuid(string text) => Guid.TryParse(text, out Guid uuid)
        ? uuid
        : throw new UsageException($"'{text}' is no UUID; leave -U out for a random one");
}

using System.CommandLine;
using Penstock.Cli.Host;
using Penstock.Cli.Mounting;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;
using Penstock.Devices;
using Penstock.Fuse;

namespace Penstock.Cli.Commands;

/// <summary><c>mount</c>: makes a volume usable for every program, in the background unless told otherwise.</summary>
internal sealed class MountCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string> _volume = new("VOLUME") { Description = "An image file, a device, IMAGE#N, or mem:SIZE." };
    private readonly Argument<string> _directory = new("DIR") { Description = "Where to; it is made if need be." };
    private readonly Option<string> _create = new("--create") { Description = "Make an ext4 volume of this size if VOLUME does not exist.", HelpName = "SIZE" };
    private readonly Option<bool> _readOnly = new("--read-only", "-r") { Description = "Write not one byte." };
    private readonly Option<bool> _foreground = new("--foreground", "-f") { Description = "Stay in the foreground until it is unmounted." };
    private readonly Option<bool> _allowOther = new("--allow-other") { Description = "Let other users in; always so for root." };
    private readonly Option<bool> _writeback = new("--writeback-cache") { Description = "Let the kernel collect small writes. See docs/MOUNT.md." };
    private readonly Option<string> _data = new("--data") { Description = "What the journal does for data: ordered, writeback or journal; else as the volume says.", HelpName = "MODE" };
    private readonly Option<string> _readyPipe = new(BackgroundStart.PipeOption) { Hidden = true };

    public MountCommand(Terminal terminal)
        : base("mount", "Mount a volume on a directory.")
    {
        _terminal = terminal;
        Arguments.Add(_volume);
        Arguments.Add(_directory);
        Options.Add(_create);
        Options.Add(_readOnly);
        Options.Add(_foreground);
        Options.Add(_allowOther);
        Options.Add(_writeback);
        Options.Add(_data);
        Options.Add(_readyPipe);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        _terminal.Subject = parsed.GetRequiredValue(_volume);
        string directory = FullPath.Of(parsed.GetRequiredValue(_directory));
        string volume = ToFullName(parsed.GetRequiredValue(_volume));
        long? size = parsed.GetValue(_create) is { } text ? ByteSize.Parse(text) : null;
        if (size is not null && parsed.GetValue(_readOnly))
        {
            throw new UsageException("--create and --read-only exclude each other");
        }

        _ = DataModeOf(parsed);
        if (parsed.GetValue(_readyPipe) is { } pipe)
        {
            return await ServeInBackgroundAsync(parsed, volume, directory, pipe, cancellationToken);
        }

        bool isNewDirectory = PrepareDirectory(directory);
        ControlPlace.Create(directory);
        if (size is { } bytes && DeviceName.Parse(volume) is { Path: { } path } && !File.Exists(path))
        {
            await CreateAsync(volume, bytes, cancellationToken);
        }

        if (parsed.GetValue(_foreground))
        {
            MountService service = await StartAsync(parsed, volume, directory);
            Warn(DescribeLimit(parsed, service));
            _terminal.Error.WriteLine($"{volume} is mounted on {directory}; end it with ^C or: penstock unmount {directory}");
            await service.RunAsync(cancellationToken);
            return ExitCode.Success;
        }

        BackgroundWord word = await BackgroundStart.RunAsync(Name, BackgroundArguments(parsed, volume, directory), cancellationToken);
        if (!word.IsReady)
        {
            if (isNewDirectory)
            {
                Directory.Delete(directory);
            }

            _terminal.Error.WriteLine($"penstock mount: {word.Text}");
            return ExitCode.Failure;
        }

        Warn(word.Text);
        _terminal.Out.WriteLine($"{volume} is mounted on {directory}; unmount it with: penstock unmount {directory}");
        return ExitCode.Success;
    }

    /// <summary>The second process: a failure goes to the first one until it is ready, to the log after that.</summary>
    private async Task<int> ServeInBackgroundAsync(
        ParseResult parsed, string volume, string directory, string pipe, CancellationToken cancellationToken)
    {
        MountService service;
        string log = Path.ChangeExtension(ControlPlace.Create(directory), ".log");
        try
        {
            BackgroundStart.LeaveTerminal(log);
            service = await StartAsync(parsed, volume, directory);
        }
        catch (Exception e)
        {
            BackgroundStart.Tell(pipe, new BackgroundWord(false, ErrorLine.Describe(e, volume)));
            File.Delete(log);
            return ExitCode.Failure;
        }

        Task run = service.RunAsync(cancellationToken);
        BackgroundStart.Tell(pipe, new BackgroundWord(true, DescribeLimit(parsed, service)));
        await run;
        File.Delete(log);
        return ExitCode.Success;
    }

    private Task<MountService> StartAsync(ParseResult parsed, string volume, string directory) => MountService.StartAsync(
        volume,
        new VolumeOptions { IsReadOnly = parsed.GetValue(_readOnly), MountedOn = directory, JournalDevice = _terminal.JournalDevice, DataMode = DataModeOf(parsed) },
        directory,
        new MountOptions
        {
            IsReadOnly = parsed.GetValue(_readOnly),
            AllowsOtherUsers = parsed.GetValue(_allowOther) ? true : null,
            UsesWritebackCache = parsed.GetValue(_writeback),
            OnDefect = defect => _terminal.Error.WriteLine($"penstock mount: a defect, please report it: {defect}"),
        });

    private DataMode? DataModeOf(ParseResult parsed) => parsed.GetValue(_data) switch
    {
        null => null,
        "ordered" => DataMode.Ordered,
        "writeback" => DataMode.Writeback,
        "journal" => DataMode.Journal,
        { } other => throw new UsageException($"--data {other}: there are ordered, writeback and journal"),
    };

    /// <summary>What whoever mounts should know: what was in the journal, and why a mount that was to be written to can only be read.</summary>
    private string DescribeLimit(ParseResult parsed, MountService service)
    {
        string volume = parsed.GetRequiredValue(_volume);
        string recovered = service.RecoveryDescription is { } found ? $"{volume}: {found}" : string.Empty;
        string limit = !parsed.GetValue(_readOnly) && service.ReadOnlyReason is { } reason ? $"{volume}: mounted for reading only: {reason}" : string.Empty;
        return recovered.Length > 0 && limit.Length > 0 ? $"{recovered}; {limit}" : recovered + limit;
    }

    private void Warn(string text)
    {
        if (text.Length > 0)
        {
            _terminal.Error.WriteLine($"penstock mount: {text}");
        }
    }

    private List<string> BackgroundArguments(ParseResult parsed, string volume, string directory)
    {
        List<string> arguments = [];
        foreach (Option<bool> option in (Option<bool>[])[_readOnly, _allowOther, _writeback])
        {
            if (parsed.GetValue(option))
            {
                arguments.Add(option.Name);
            }
        }

        if (parsed.GetValue(_data) is { } mode)
        {
            arguments.AddRange(["--data", mode]);
        }

        arguments.AddRange(_terminal.JournalDevice is { } journal ? ["--journal", journal, "--", volume, directory] : ["--", volume, directory]);
        return arguments;
    }

    /// <summary>The root of a new volume belongs to who made it, so that he can use the mount.</summary>
    private async Task CreateAsync(string volume, long size, CancellationToken cancellationToken)
    {
        await Volume.MakeAsync(volume, new MakingOptions { Length = size }, cancellationToken);
        if (LinuxCalls.EffectiveUserId() != 0)
        {
            await using Volume made = await VolumeAccess.OpenForWritingAsync(_terminal, volume, cancellationToken);
            await made.SetDetailsAsync("/", userId: LinuxCalls.EffectiveUserId(), groupId: LinuxCalls.EffectiveGroupId());
        }
    }

    /// <returns>Whether it is new.</returns>
    private static bool PrepareDirectory(string directory)
    {
        if (MountTable.Find(directory) is { } mounted)
        {
            throw new FileSystemException(IoFault.Busy, $"{directory}: {mounted.Source} is mounted there; unmount it first");
        }

        if (File.Exists(directory))
        {
            throw new FileSystemException(IoFault.NotADirectory, $"{directory}: is not a directory");
        }

        bool isNew = !Directory.Exists(directory);
        Directory.CreateDirectory(directory);
        return isNew;
    }

    /// <summary>The background process works in another directory.</summary>
    private static string ToFullName(string volume) =>
        DeviceName.Parse(volume) is { Path: { } path } name ? Path.GetFullPath(path) + volume[path.Length..] : volume;
}

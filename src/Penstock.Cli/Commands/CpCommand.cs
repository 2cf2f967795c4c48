using System.CommandLine;
using Penstock.Cli.Copying;
using Penstock.Cli.Naming;
using Penstock.Cli.Output;

namespace Penstock.Cli.Commands;

/// <summary><c>cp</c>: copies between the host and volumes, in all directions.</summary>
internal sealed class CpCommand : Command
{
    private readonly Terminal _terminal;
    private readonly Argument<string[]> _paths = new("FROM... TO")
    {
        Arity = new ArgumentArity(2, 100_000),
        Description = "Files of the host (PATH) or of a volume (VOLUME:/PATH); the last is the new name, or the directory to copy into.",
    };

    private readonly Option<bool> _recursive = new("--recursive", "-r", "-R") { Description = "Copy directories with what is in them." };
    private readonly Option<bool> _archive = new("--archive", "-a") { Description = "As -r -p, with extended attributes and hard links." };
    private readonly Option<bool> _preserve = new("--preserve", "-p") { Description = "Keep owner, permissions and times." };
    private readonly Option<bool> _follow = new("--dereference", "-L") { Description = "Copy what symbolic links lead to." };
    private readonly Option<bool> _noClobber = new("--no-clobber", "-n") { Description = "Replace nothing." };
    private readonly Option<bool> _exact = new("--no-target-directory", "-T") { Description = "TO is the new name, even if it is a directory." };

    public CpCommand(Terminal terminal)
        : base("cp", "Copy between the host and volumes.")
    {
        _terminal = terminal;
        Arguments.Add(_paths);
        Options.Add(_recursive);
        Options.Add(_archive);
        Options.Add(_preserve);
        Options.Add(_follow);
        Options.Add(_noClobber);
        Options.Add(_exact);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        Place[] places = [.. parsed.GetRequiredValue(_paths).Select(Place.Parse)];
        if (places.All(p => p.Volume is null))
        {
            throw new UsageException("no volume is named; write VOLUME:/PATH for its files, such as disk.img:/etc/hosts");
        }

        Place to = places[^1];
        await using var trees = new OpenTrees(_terminal, to.Volume, cancellationToken);
        FileTree target = await trees.OpenAsync(to.Volume);
        bool isInto = !parsed.GetValue(_exact) && await target.FindAsync(to.Path, followLink: true) is { Kind: FileKind.Directory };
        if (places.Length > 2 && !isInto)
        {
            throw new FileSystemException(IoFault.NotADirectory, $"{target.Describe(to.Path)}: not a directory, so several files cannot be copied there");
        }

        bool hasFailures = false;
        using var progress = new Progress(_terminal, "copied");
        CopyOptions options = ToOptions(parsed);
        foreach (Place from in places[..^1])
        {
            FileTree source = await trees.OpenAsync(from.Volume);
            var job = new CopyJob(source, target, options, _terminal, progress, cancellationToken);

            // "dir/." and the root have no name to carry over: what is in them is copied.
            string path = isInto && from.Name.Length > 0 ? target.Join(to.Path, from.Name) : to.Path;
            await job.CopyAsync(from.Path, path);
            hasFailures |= job.HasFailures;
        }

        return hasFailures ? ExitCode.Failure : ExitCode.Success;
    }

    private CopyOptions ToOptions(ParseResult parsed)
    {
        bool isArchive = parsed.GetValue(_archive);
        return new CopyOptions
        {
            IsRecursive = isArchive || parsed.GetValue(_recursive),
            KeepsDetails = isArchive || parsed.GetValue(_preserve),
            KeepsAttributes = isArchive,
            KeepsHardLinks = isArchive,
            FollowsLinks = parsed.GetValue(_follow),
            ReplacesNothing = parsed.GetValue(_noClobber),
        };
    }

    /// <summary>A file of the host, or of a volume.</summary>
    private readonly record struct Place(string? Volume, string Path)
    {
        public string Name
        {
            get
            {
                string path = Path.TrimEnd('/');
                string name = path[(path.LastIndexOf('/') + 1)..];
                return name is "." or ".." ? string.Empty : name;
            }
        }

        /// <summary>What the host has under the whole text goes first.</summary>
        public static Place Parse(string text) => !File.Exists(text) && VolumePath.TryParse(text, out VolumePath path)
            ? new Place(path.Volume, path.Path)
            : new Place(null, text);
    }

    /// <summary>The volumes of one command, each opened once: the target for writing.</summary>
    private sealed class OpenTrees(Terminal terminal, string? writable, CancellationToken cancellationToken) : IAsyncDisposable
    {
        private readonly Dictionary<string, VolumeTree> _volumes = [];
        private readonly HostTree _host = new();

        public async ValueTask<FileTree> OpenAsync(string? volume)
        {
            if (volume is null)
            {
                return _host;
            }

            if (!_volumes.TryGetValue(volume, out VolumeTree? tree))
            {
                tree = new VolumeTree(await (volume == writable
                    ? VolumeAccess.OpenForWritingAsync(terminal, volume, cancellationToken)
                    : VolumeAccess.OpenForReadingAsync(terminal, volume, cancellationToken)));
                _volumes.Add(volume, tree);
            }

            return tree;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (VolumeTree tree in _volumes.Values)
            {
                await tree.Volume.DisposeAsync();
            }
        }
    }
}

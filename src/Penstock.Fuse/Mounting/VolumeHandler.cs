using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;
using Penstock.Mapping;

namespace Penstock.Fuse.Mounting;

/// <summary>
/// Answers the kernel's requests from a volume. Knows the contracts of Files and no format. Access was checked by the kernel
/// (default_permissions); what inode flags and the format forbid is checked below.
/// </summary>
/// <remarks>
/// A request runs on its reader until it first waits, then wherever the core resumes it. Memory it touches is the request's own, never a
/// program's, so every place may touch it.
/// </remarks>
internal sealed partial class VolumeHandler : FuseHandler
{
    private readonly FileSystem _fileSystem;
    private readonly Namespace _names;
    private readonly NodeTable _nodes;
    private readonly HandleTable<OpenFile> _files = new();
    private readonly MountOptions _options;
    private readonly Inode _root;
    private int _maxRead = 1024 * 1024;
    private bool _opensDirectoriesItself;
    private readonly ForgottenInodes _forgotten;
    private readonly KernelCopies _kernelCopies = new();
    private readonly EndPages _endPages = new();
    private int _hasFreed;

    /// <param name="names">The volume's names.</param>
    /// <param name="root">The root directory, with a reference that this now owns.</param>
    /// <param name="options">How it is mounted.</param>
    public VolumeHandler(Namespace names, Inode root, MountOptions options)
    {
        _names = names;
        _fileSystem = names.FileSystem;
        _root = root;
        _nodes = new NodeTable(root);
        _options = options;
        _forgotten = new ForgottenInodes(_fileSystem, NoteFreed, options.OnDefect);
    }

    /// <summary>Files that the kernel has open.</summary>
    public int OpenFiles => _files.Count;

    /// <summary>Nodes that the kernel knows, the root not counted.</summary>
    public int KnownNodes => _nodes.Count;

    private bool IsReadOnly => _options.IsReadOnly || _fileSystem.IsReadOnly;

    public override void Initialized(FuseConnection connection)
    {
        _maxRead = connection.MaxWrite;
        _opensDirectoriesItself = connection.Has(FuseInitFlags.NoOpenDirSupport);
    }

    public override void Forget(ulong node, ulong lookups)
    {
        if (_nodes.Forget(node, lookups) is { } inode)
        {
            _kernelCopies.Forget(node);
            _endPages.Forget(node);
            _forgotten.Release(inode);
        }
    }

    /// <summary>
    /// A file that was removed is freed when the kernel forgets it, a moment after unlink(2) has returned, and its blocks can be used when the
    /// change is committed. Programs expect neither delay: one that finds no space waits for both.
    /// </summary>
    public override async ValueTask<bool> MakeRoomAsync()
    {
        await _forgotten.WaitForDeletionsAsync().ConfigureAwait(false);
        if (Interlocked.Exchange(ref _hasFreed, 0) == 0)
        {
            return false;
        }

        await FileSystemWriteback.MakeRoomAsync(_fileSystem).ConfigureAwait(false);
        return true;
    }

    public override async ValueTask<Errno> StatFsAsync(FuseRequest request)
    {
        await _forgotten.WaitForDeletionsAsync().ConfigureAwait(false);
        VolumeStatistics statistics = _fileSystem.Statistics;
        return request.Reply(new FuseStatFsOut
        {
            Blocks = statistics.Blocks,
            BlocksFree = statistics.FreeBlocks,
            BlocksAvailable = statistics.AvailableBlocks,
            Files = statistics.Inodes,
            FilesFree = statistics.FreeInodes,
            BlockSize = (uint)statistics.BlockSize,
            FragmentSize = (uint)statistics.BlockSize,
            NameLength = FileName.MaxLength,
        });
    }

    public override async ValueTask<Errno> SyncFsAsync(FuseRequest request)
    {
        await SyncPath.SyncFileSystemAsync(_fileSystem).ConfigureAwait(false);
        return Errno.None;
    }

    /// <summary>Has the kernel told that a name, and what it leads to, may have changed behind it.</summary>
    public void Invalidate(FuseNotifier notifier, Inode directory, FileName name, Inode? inode)
    {
        ulong parent = _nodes.ToNode(directory.Number);
        notifier.InvalidateEntry(parent, name.Bytes);
        // The entries that the kernel keeps are data of the directory.
        notifier.InvalidateInode(parent, 0, 0);
        if (inode is not null)
        {
            notifier.InvalidateInode(_nodes.ToNode(inode.Number), 0, 0);
        }
    }

    /// <summary>The session is over: closes what the kernel did not release, forgets what it did not forget. Called once, last.</summary>
    public async ValueTask EndAsync()
    {
        foreach (OpenFile file in _files.RemoveAll())
        {
            await file.DisposeAsync().ConfigureAwait(false);
        }

        foreach (Inode inode in _nodes.ForgetAll())
        {
            await _fileSystem.Inodes.ReleaseAsync(inode).ConfigureAwait(false);
        }

        await _forgotten.EndAsync().ConfigureAwait(false);
        await _fileSystem.Inodes.ReleaseAsync(_root).ConfigureAwait(false);
    }

    /// <summary>Something may have been freed since a request last found no space.</summary>
    private void NoteFreed() => Volatile.Write(ref _hasFreed, 1);

    private FileName NameOf(FuseRequest request) => FileName.From(request.Name.ToArray());

    private Inode NodeOf(FuseRequest request) => _nodes[request.Header.NodeId];

    private void RequireWritable()
    {
        if (IsReadOnly)
        {
            throw new FileSystemException(IoFault.ReadOnly);
        }
    }

    /// <summary>Replies with an entry, and hands the caller's reference over to the table of nodes.</summary>
    private ValueTask<Errno> ReplyEntryAsync(FuseRequest request, Inode inode)
    {
        request.Reply(EntryOf(inode));
        ValueTask added = AddLookupAsync(inode);
        return added.IsCompletedSuccessfully ? new(Errno.None) : AwaitAsync(added);

        static async ValueTask<Errno> AwaitAsync(ValueTask added)
        {
            await added.ConfigureAwait(false);
            return Errno.None;
        }
    }

    private ValueTask AddLookupAsync(Inode inode) => _nodes.AddLookup(inode) ? _fileSystem.Inodes.ReleaseAsync(inode) : default;

    private FuseEntryOut EntryOf(Inode inode)
    {
        (ulong nameSeconds, uint nameNanoseconds) = Lifetime(_options.NameLifetime);
        (ulong seconds, uint nanoseconds) = LifetimeOfAttributes(inode);
        return new FuseEntryOut
        {
            NodeId = _nodes.ToNode(inode.Number),
            Generation = inode.Attributes.Generation,
            EntryValid = nameSeconds,
            EntryValidNanoseconds = nameNanoseconds,
            AttrValid = seconds,
            AttrValidNanoseconds = nanoseconds,
            Attr = WireAttributes.ToFuseAttr(inode),
        };
    }

    /// <summary>
    /// A write takes setuid and setgid away here, and the kernel does not look: so it must ask each time whether they are still there, not
    /// least before it runs such a program.
    /// </summary>
    private (ulong Seconds, uint Nanoseconds) LifetimeOfAttributes(Inode inode)
    {
        bool canLosePrivileges = inode.Kind == FileKind.Regular && (inode.Attributes.Mode & (ModeBits.SetUid | ModeBits.SetGid)) != 0;
        return canLosePrivileges ? default : Lifetime(_options.AttributeLifetime);
    }

    private static (ulong Seconds, uint Nanoseconds) Lifetime(TimeSpan time)
    {
        long ticks = Math.Max(0, time.Ticks);
        return ((ulong)(ticks / TimeSpan.TicksPerSecond), (uint)(ticks % TimeSpan.TicksPerSecond * 100));
    }
}

using System.Collections.Immutable;
using System.Globalization;
using Penstock.Files;
using Penstock.Memory;
using Penstock.Simulation.Crash.Model;
using Penstock.Simulation.Judging;
using Penstock.Simulation.Running;

namespace Penstock.Simulation.Crash.Workloads;

/// <summary>
/// One user of the volume. It calls the library as anybody would, and tells the model of each call as it begins and as it returns. Calls that may fail, for
/// lack of space or by the device, then return false or null and have done nothing that is promised.
/// </summary>
internal sealed class Client(CrashWorld world, char letter)
{
    private readonly NameHistory _names = world.Model.NamesOf(letter);
    private int _made;
    private FileSystemException? _failure;

    private Volume Volume => world.Volume;

    private CrashModel Model => world.Model;

    /// <summary>A name that nobody had.</summary>
    public string NewName(string directory = "") => string.Create(CultureInfo.InvariantCulture, $"{directory}/{letter}{_made++}");

    /// <summary>A path of this client.</summary>
    public string Path(string name, string directory = "") => $"{directory}/{letter}-{name}";

    public bool Has(string path) => _names.Now.ContainsKey(path);

    public Node NodeAt(string path) => _names.Now[path];

    public IEnumerable<string> Names => _names.Now.Keys;

    public async Task<ClientFile?> CreateAsync(string path)
    {
        Node node = Model.NewNode(FileKind.Regular);
        OpenFile? open = null;
        bool isMade = await ChangeNamesAsync(
            $"create {path}",
            names => names.SetItem(path, node),
            async () =>
            {
                open = await Volume.OpenFileAsync(path, FileMode.CreateNew, FileAccess.ReadWrite);
                node.Inode = open.Inode.Number.Value;
            },
            node);
        return isMade ? new ClientFile(node, open!) : null;
    }

    /// <summary>Opens a file that there is.</summary>
    public async Task<ClientFile?> OpenAsync(string path)
    {
        await new UserTurn(world.Scheduler);
        OpenFile? open = null;
        bool isOpen = await TryAsync($"open {path}", async () => open = await Volume.OpenFileAsync(path, FileMode.Open, FileAccess.ReadWrite));
        return isOpen ? new ClientFile(NodeAt(path), open!) : null;
    }

    public Task<bool> MakeDirectoryAsync(string path) =>
        MakeAsync($"mkdir {path}", path, Model.NewNode(FileKind.Directory), () => Volume.CreateDirectoryAsync(path));

    public Task<bool> MakeSymbolicLinkAsync(string path, string target) =>
        MakeAsync($"symlink {path}", path, Model.NewNode(FileKind.SymbolicLink, target), () => Volume.CreateSymbolicLinkAsync(path, target));

    public Task<bool> LinkAsync(string existing, string path) => ChangeNamesAsync(
        $"link {existing} {path}",
        names => names.SetItem(path, names[existing]),
        async () => await Volume.CreateHardLinkAsync(existing, path),
        NodeAt(existing));

    public Task<bool> UnlinkAsync(string path) => ChangeNamesAsync(
        $"unlink {path}", names => names.Remove(path), async () => await Volume.DeleteFileAsync(path), NodeAt(path));

    public Task<bool> RemoveDirectoryAsync(string path) => ChangeNamesAsync(
        $"rmdir {path}", names => names.Remove(path), async () => await Volume.DeleteDirectoryAsync(path), NodeAt(path));

    /// <summary>Renames a file, or a directory in which only this client has names; what had the new name loses it.</summary>
    public Task<bool> RenameAsync(string from, string to) => ChangeNamesAsync(
        $"rename {from} {to}",
        names => Has(to) && NodeAt(to) == NodeAt(from) ? names : Move(names, from, to),
        async () => await Volume.MoveAsync(from, to, overwrite: true),
        Has(to) && NodeAt(to) != NodeAt(from) ? [NodeAt(from), NodeAt(to)] : [NodeAt(from)]);

    /// <summary>Writes bytes that no other write has. With DataSync or Sync they are promised when it returns.</summary>
    /// <returns>Whether all of them were written.</returns>
    public Task<bool> WriteAsync(ClientFile file, long offset, int length, IoOptions options = IoOptions.None) =>
        WriteAsync(file, Model.NewWrite(), offset, length, options);

    /// <summary>Writes, once in a run, what looks like a block of the log, at the beginning of a block.</summary>
    public Task<bool> WriteLogMagicAsync(ClientFile file, int blockSize, long firstBlock) =>
        Model.TakeLogMagicWrite() is > 0 and int write
            ? WriteAsync(file, write, firstBlock * blockSize, Tag.LogMagicAt + blockSize, IoOptions.None)
            : Task.FromResult(false);

    private async Task<bool> WriteAsync(ClientFile file, int write, long offset, int length, IoOptions options)
    {
        await new UserTurn(world.Scheduler);
        using var buffer = new AlignedBuffer(Math.Max(length, 1));
        Tag.Fill(buffer.GetSpan()[..length], write, 0);
        bool isAppend = (options & IoOptions.Append) != 0;
        bool isPromised = (options & (IoOptions.DataSync | IoOptions.Sync)) != 0;
        string what = string.Create(CultureInfo.InvariantCulture, $"write #{write}, {file.Node}, {offset}+{length} {options}");
        ContentOperation operation = file.Node.Content.BeginWrite(
            write, isAppend ? file.Size : offset, length, isAhead: isPromised || (options & IoOptions.Direct) != 0);
        Begin(what);
        long done = 0;
        try
        {
            done = await file.Open.WriteAsync(buffer.Memory[..length], offset, options);
        }
        catch (FileSystemException e) when (world.Explains(e))
        {
            world.Log.Tell($"    {letter}: {what} failed: {e.Message}");
            file.Node.Content.Fail(operation, file.Open.Length);
            Model.Touch();
            return false;
        }

        file.Node.Content.End(operation, done, isPromised, file.Open.Length);
        End(what, isPromised);
        return done == length;
    }

    public Task<bool> ResizeAsync(ClientFile file, long size) => ChangeContentAsync(
        file, string.Create(CultureInfo.InvariantCulture, $"resize {file.Node} to {size}"), file.Node.Content.BeginResize(size), () => file.Open.SetLengthAsync(size));

    public Task<bool> PunchAsync(ClientFile file, long offset, long length) => ChangeContentAsync(
        file,
        string.Create(CultureInfo.InvariantCulture, $"punch {file.Node} {offset}+{length}"),
        file.Node.Content.BeginZero(offset, Math.Min(length, Math.Max(0, file.Size - offset))),
        () => file.Open.ChangeRangeAsync(FileRangeChange.PunchHole, offset, length));

    /// <summary>Allocates blocks, inside the size or beyond, where the format can; the size stays.</summary>
    public Task<bool> AllocateAsync(ClientFile file, long offset, long length) => world.Shape.HasExtents
        ? ChangeContentAsync(
            file,
            string.Create(CultureInfo.InvariantCulture, $"allocate {file.Node} {offset}+{length}"),
            file.Node.Content.BeginZero(0, 0),
            () => file.Open.ChangeRangeAsync(FileRangeChange.AllocateKeepingSize, offset, length))
        : Task.FromResult(false);

    public async Task<bool> SetAttributeAsync(string path, string name, byte[]? value)
    {
        await new UserTurn(world.Scheduler);
        Node node = NodeAt(path);
        string what = $"setxattr {path} {name} {value?.Length.ToString(CultureInfo.InvariantCulture) ?? "none"}";
        node.Attributes.Begin(name, value);
        Begin(what);
        bool isSet = await TryAsync(what, async () => await Volume.SetAttributeAsync(path, name, value));
        node.Attributes.End(name, isSet);
        End(what, isPromise: false);
        return isSet;
    }

    /// <summary>fsync or fdatasync.</summary>
    public async Task<bool> SyncAsync(ClientFile file, bool dataOnly = false)
    {
        await new UserTurn(world.Scheduler);
        Node node = file.Node;
        string what = $"{(dataOnly ? "fdatasync" : "fsync")} {node}";
        ContentOperation[] content = node.Content.BeginSync();
        Dictionary<string, AttributeModel.Version> attributes = node.Attributes.BeginSync();
        long names = _names.BeginSync();
        Begin(what);
        if (!await TryAsync(what, async () => await file.Open.FlushAsync(dataOnly)))
        {
            return false;
        }

        node.Content.EndSync(content);
        if (!dataOnly)
        {
            node.Attributes.EndSync(attributes);
            _names.EndSync(node, names);
        }

        End(what, isPromise: true);
        return true;
    }

    /// <summary>Whether an fsync of an open file tells that data could not be written back; null if it fails for another reason.</summary>
    public async Task<bool?> IsToldOfLostDataAsync(ClientFile file)
    {
        _failure = null;
        return await SyncAsync(file) ? false : _failure!.Message.Contains(": data could not be written", StringComparison.Ordinal) ? true : null;
    }

    /// <summary>fsync of a directory.</summary>
    public async Task<bool> SyncDirectoryAsync(string path)
    {
        await new UserTurn(world.Scheduler);
        string what = $"fsync of directory {path}";
        long names = _names.BeginSync();
        Begin(what);
        bool isSynced = await TryAsync(what, async () =>
        {
            Inode inode = await new PathWalk(Volume.Names).FindAsync(path);
            await SyncPath.FsyncAsync(inode, dataOnly: false, null!);
            await Volume.FileSystem.Inodes.ReleaseAsync(inode);
        });
        if (isSynced)
        {
            _names.EndDirectorySync(path, names);
            End(what, isPromise: true);
        }

        return isSynced;
    }

    /// <summary>syncfs.</summary>
    public async Task<bool> SyncVolumeAsync()
    {
        await new UserTurn(world.Scheduler);
        var contents = Model.Nodes.Select(static n => (Node: n, Content: n.Content.BeginSync(), Attributes: n.Attributes.BeginSync())).ToList();
        var names = Model.Clients.Select(static c => (Client: c, Began: c.BeginSync())).ToList();
        Begin("syncfs");
        if (!await TryAsync("syncfs", async () => await Volume.FlushAsync()))
        {
            return false;
        }

        foreach ((Node node, ContentOperation[] content, Dictionary<string, AttributeModel.Version> attributes) in contents)
        {
            node.Content.EndSync(content);
            node.Attributes.EndSync(attributes);
        }

        foreach ((NameHistory client, long began) in names)
        {
            client.EndSync(began);
        }

        End("syncfs", isPromise: true);
        return true;
    }

    /// <summary>Waits until the volume's timers have had their turn.</summary>
    public async Task RestAsync(int turns)
    {
        for (int i = 0; i < turns; i++)
        {
            await new UserTurn(world.Scheduler);
        }
    }

    private static ImmutableSortedDictionary<string, Node> Move(ImmutableSortedDictionary<string, Node> names, string from, string to)
    {
        ImmutableSortedDictionary<string, Node> moved = names.Remove(from).SetItem(to, names[from]);
        foreach ((string path, Node node) in names)
        {
            if (path.StartsWith(from + "/", StringComparison.Ordinal))
            {
                moved = moved.Remove(path).SetItem(string.Concat(to, path.AsSpan(from.Length)), node);
            }
        }

        return moved;
    }

    private Task<bool> MakeAsync(string what, string path, Node node, Func<ValueTask> call) => ChangeNamesAsync(
        what,
        names => names.SetItem(path, node),
        async () =>
        {
            await call();
            node.Inode = (await Volume.GetDetailsAsync(path, followLink: false)).InodeNumber;
        },
        node);

    private async Task<bool> ChangeNamesAsync(
        string what, Func<ImmutableSortedDictionary<string, Node>, ImmutableSortedDictionary<string, Node>> change, Func<Task> call, params Node[] nodes)
    {
        await new UserTurn(world.Scheduler);
        _names.Begin(change, nodes);
        Begin(what);
        bool isDone = await TryAsync(what, call);
        _names.End(isDone);
        End(what, isPromise: false);
        return isDone;
    }

    private async Task<bool> ChangeContentAsync(ClientFile file, string what, ContentOperation operation, Func<ValueTask> call)
    {
        Begin(what);
        bool isDone = await TryAsync(what, async () =>
        {
            await new UserTurn(world.Scheduler);
            await call();
        });
        if (isDone)
        {
            file.Node.Content.End(operation, operation.Length, isDurable: false, file.Open.Length);
        }
        else
        {
            file.Node.Content.Fail(operation, file.Open.Length);
        }

        End(what, isPromise: false);
        return isDone;
    }

    private async Task<bool> TryAsync(string what, Func<Task> call)
    {
        try
        {
            await call();
            return true;
        }
        catch (FileSystemException e) when (world.Explains(e))
        {
            _failure = e;
            world.Log.Tell($"    {letter}: {what} failed: {e.Message}");
            Model.Touch();
            return false;
        }
    }

    private void Begin(string what)
    {
        Model.Touch();
        world.Log.Tell($"    {letter}: {what}");
    }

    private void End(string what, bool isPromise)
    {
        if (isPromise)
        {
            Model.NotePromise();
        }
        else
        {
            Model.Touch();
        }

        world.Log.Tell($"    {letter}: {(isPromise ? "PROMISED" : "returned")}: {what}");
    }
}

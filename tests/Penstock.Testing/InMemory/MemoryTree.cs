using Penstock.Caching;
using Penstock.Files;
using Penstock.Mapping;

namespace Penstock.Testing.InMemory;

/// <summary>The in-memory file system with names: what the layers above names can be tested on without ext4.</summary>
internal sealed class MemoryTree : MemoryFileSystem
{
    private static readonly InodeNumber s_root = new(2);

    private readonly object _latch = new();
    private readonly Dictionary<InodeNumber, MemoryNode> _nodes = [];
    private readonly Dictionary<InodeNumber, uint> _flags = [];
    private ulong _nextNumber = 1000;

    public MemoryTree(Devices.SimulatedDevice device, PageCache pageCache, int blockSize = 4096)
        : base(device, pageCache, blockSize)
    {
        MemoryNode root = NewNode(s_root, new NewInode { Mode = 0x41ED, UserId = 0, GroupId = 0 });
        root.Parent = s_root;
        root.AddLinks(1);
    }

    public override InodeNumber RootNumber => s_root;

    /// <summary>The inodes that exist.</summary>
    public int NodeCount
    {
        get
        {
            lock (_latch)
            {
                return _nodes.Count;
            }
        }
    }

    /// <summary>Asked before each change of names: a fault to throw, or none.</summary>
    public Func<IoFault>? NameFault { get; set; }

    public override ValueTask<Inode> LoadInodeAsync(InodeNumber number)
    {
        lock (_latch)
        {
            return _nodes.TryGetValue(number, out MemoryNode? node) ? new(node) : throw new FileSystemException(IoFault.Stale);
        }
    }

    public override async ValueTask<InodeNumber> LookupAsync(Inode directory, FileName name)
    {
        await Scheduler.Yield();
        var node = (MemoryNode)directory;
        return name.Bytes.SequenceEqual("."u8) ? node.Number
            : name.Bytes.SequenceEqual(".."u8) ? node.Parent
            : node.Entries.GetValueOrDefault(name).Number;
    }

    public override async ValueTask<Inode> CreateAsync(Inode directory, FileName name, NewInode what)
    {
        MemoryNode made = await MakeAsync(directory, what);
        Enter(directory, name, made);
        if (made.Kind == FileKind.Directory)
        {
            made.Parent = directory.Number;
            made.AddLinks(1);
            ((MemoryNode)directory).AddLinks(1);
        }

        return made;
    }

    public override async ValueTask<Inode> CreateUnnamedAsync(Inode directory, NewInode what)
    {
        MemoryNode made = await MakeAsync(directory, what);
        made.AddLinks(-1);
        made.IsUnnamed = true;
        return made;
    }

    public override ValueTask LinkAsync(Inode directory, FileName name, Inode target)
    {
        ThrowIfFaulty();
        Enter(directory, name, target);
        ((MemoryNode)target).AddLinks(1);
        target.IsUnnamed = false;
        return ValueTask.CompletedTask;
    }

    public override ValueTask UnlinkAsync(Inode directory, FileName name, Inode target)
    {
        ThrowIfFaulty();
        var node = (MemoryNode)target;
        if (node.Kind == FileKind.Directory)
        {
            if (node.Entries.Count > 0)
            {
                throw new FileSystemException(IoFault.NotEmpty);
            }

            node.AddLinks(-1);
            ((MemoryNode)directory).AddLinks(-1);
        }

        node.AddLinks(-1);
        Leave(directory, name);
        return ValueTask.CompletedTask;
    }

    public override async ValueTask RenameAsync(RenameRequest request)
    {
        ThrowIfFaulty();
        if (request.IsExchange)
        {
            Leave(request.FromDirectory, request.FromName);
            Leave(request.ToDirectory, request.ToName);
            Enter(request.FromDirectory, request.FromName, request.Target!);
            MoveParent(request.Target!, request.ToDirectory, request.FromDirectory);
        }
        else
        {
            if (request.Target is { } target)
            {
                await UnlinkAsync(request.ToDirectory, request.ToName, target);
            }

            Leave(request.FromDirectory, request.FromName);
            if (request.Whiteout is { } whiteout)
            {
                await LinkAsync(request.FromDirectory, request.FromName, whiteout);
            }
        }

        Enter(request.ToDirectory, request.ToName, request.Source);
        MoveParent(request.Source, request.FromDirectory, request.ToDirectory);
        FileTimes.Changed(request.Source);
    }

    public override ValueTask ReadDirectoryAsync(Inode directory, ulong position, IDirectorySink sink)
    {
        var node = (MemoryNode)directory;
        bool hasRoom = position >= 1 || sink.Add("."u8, node.Number, FileKind.Directory, 1);
        hasRoom = hasRoom && (position >= 2 || sink.Add(".."u8, node.Parent, FileKind.Directory, 2));
        foreach ((FileName name, (InodeNumber number, ulong at)) in node.Entries.OrderBy(entry => entry.Value.Position))
        {
            if (hasRoom && at > position)
            {
                hasRoom = sink.Add(name.Bytes, number, _nodes[number].Kind, at);
            }
        }

        return ValueTask.CompletedTask;
    }

    public override async ValueTask DeleteInodeAsync(Inode inode)
    {
        // Dirty pages hold reservations, and nobody will write them any more.
        await inode.Pages!.RemoveAsync(0, long.MaxValue);
        await base.DeleteInodeAsync(inode);
        lock (_latch)
        {
            _nodes.Remove(inode.Number);
        }
    }

    public override uint GetFormatFlags(Inode inode) => _flags.GetValueOrDefault(inode.Number);

    public override ValueTask SetFormatFlagsAsync(Inode inode, uint flags)
    {
        _flags[inode.Number] = flags;
        FileFlags known = ((flags & 0x10) != 0 ? FileFlags.Immutable : 0) | ((flags & 0x20) != 0 ? FileFlags.AppendOnly : 0);
        inode.Change(known, static (ref InodeAttributes a, FileFlags f) => a.Flags = f);
        return ValueTask.CompletedTask;
    }

    private async ValueTask<MemoryNode> MakeAsync(Inode directory, NewInode what)
    {
        await Scheduler.Yield();
        ThrowIfFaulty();
        MemoryNode made = NewNode(new InodeNumber(Interlocked.Increment(ref _nextNumber)), what);
        if (what.AccessAcl is { } access)
        {
            await made.SetAttributeAsync(AccessControlList.AccessName, access, AttributeCondition.None);
        }

        if (what.DefaultAcl is { } inherited)
        {
            await made.SetAttributeAsync(AccessControlList.DefaultName, inherited, AttributeCondition.None);
        }

        Inodes.AddNew(made);
        return made;
    }

    private MemoryNode NewNode(InodeNumber number, NewInode what)
    {
        Timestamp now = Now;
        var attributes = new InodeAttributes
        {
            Mode = what.Mode, UserId = what.UserId, GroupId = what.GroupId, DeviceNumber = what.DeviceNumber, Links = 1,
            AccessTime = now, ModifyTime = now, ChangeTime = now, BirthTime = now, Generation = (uint)number.Value * 7,
        };
        var node = new MemoryNode(this, number, attributes, what.LinkTarget.ToArray());
        lock (_latch)
        {
            _nodes.Add(number, node);
        }

        return node;
    }

    private void ThrowIfFaulty()
    {
        if (NameFault?.Invoke() is { } fault and not IoFault.None)
        {
            throw new FileSystemException(fault);
        }
    }

    private static void Enter(Inode directory, FileName name, Inode target)
    {
        var node = (MemoryNode)directory;
        node.Entries.Add(name, (target.Number, node.NextPosition++));
        FileTimes.Modified(node);
    }

    private static void Leave(Inode directory, FileName name)
    {
        ((MemoryNode)directory).Entries.Remove(name);
        FileTimes.Modified(directory);
    }

    private static void MoveParent(Inode moved, Inode from, Inode to)
    {
        if (moved is MemoryNode { Kind: FileKind.Directory } node && from != to)
        {
            node.Parent = to.Number;
            ((MemoryNode)from).AddLinks(-1);
            ((MemoryNode)to).AddLinks(1);
        }
    }
}

using Penstock.Files;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Mounting;

/// <content>Names: look-up, making, linking, removing, renaming, symbolic links.</content>
internal sealed partial class VolumeHandler
{
    public override ValueTask<Errno> LookupAsync(FuseRequest request)
    {
        if (request.Name.SequenceEqual("."u8))
        {
            return LookupByNodeAsync(request);
        }

        Inode directory = NodeOf(request);
        return !_names.TryLookup(directory, request.Name, out Inode? inode) ? LookupWaitingAsync(request, directory)
            : inode is not null ? ReplyEntryAsync(request, inode)
            : new(ReplyAbsent(request));
    }

    private async ValueTask<Errno> LookupWaitingAsync(FuseRequest request, Inode directory) =>
        await _names.TryLookupAsync(directory, NameOf(request)).ConfigureAwait(false) is { } inode
            ? await ReplyEntryAsync(request, inode).ConfigureAwait(false)
            : ReplyAbsent(request);

    /// <summary>Node 0: the kernel may remember that the name does not exist, until it is made through the mount.</summary>
    private Errno ReplyAbsent(FuseRequest request)
    {
        (ulong seconds, uint nanoseconds) = Lifetime(_options.NameLifetime);
        return request.Reply(new FuseEntryOut { EntryValid = seconds, EntryValidNanoseconds = nanoseconds });
    }

    /// <summary>
    /// Somebody holds a file handle (name_to_handle_at, NFS) of a file that the kernel has forgotten since. It compares the generation itself.
    /// </summary>
    private async ValueTask<Errno> LookupByNodeAsync(FuseRequest request)
    {
        Inode? inode = await _fileSystem.FindByNumberAsync(_nodes.ToNumber(request.Header.NodeId)).ConfigureAwait(false);
        return inode is null ? Errno.ESTALE : await ReplyEntryAsync(request, inode).ConfigureAwait(false);
    }

    public override async ValueTask<Errno> MkDirAsync(FuseRequest request)
    {
        FuseMkDirIn make = request.Arguments<FuseMkDirIn>();
        NewNode what = NewNodeOf(request, FileKind.Directory, make.Mode, make.Umask);
        return await MakeAsync(request, NameOf(request), what).ConfigureAwait(false);
    }

    public override async ValueTask<Errno> MkNodAsync(FuseRequest request)
    {
        FuseMkNodIn make = request.Arguments<FuseMkNodIn>();
        FileKind kind = ModeBits.ToKind((ushort)make.Mode);
        NewNode what = NewNodeOf(request, kind, make.Mode, make.Umask) with { DeviceNumber = make.Device };
        return await MakeAsync(request, NameOf(request), what).ConfigureAwait(false);
    }

    public override async ValueTask<Errno> SymLinkAsync(FuseRequest request)
    {
        // The link has no permissions of its own; the target follows the name.
        NewNode what = NewNodeOf(request, FileKind.SymbolicLink, 0x1ff, 0) with { LinkTarget = request.SecondName.ToArray() };
        return await MakeAsync(request, NameOf(request), what).ConfigureAwait(false);
    }

    public override async ValueTask<Errno> LinkAsync(FuseRequest request)
    {
        RequireWritable();
        Inode target = _nodes[request.Arguments<FuseLinkIn>().OldNodeId];
        await _names.LinkAsync(NodeOf(request), NameOf(request), target).ConfigureAwait(false);
        _fileSystem.Inodes.Reference(target);
        return await ReplyEntryAsync(request, target).ConfigureAwait(false);
    }

    public override async ValueTask<Errno> UnlinkAsync(FuseRequest request)
    {
        RequireWritable();
        await _names.UnlinkAsync(NodeOf(request), NameOf(request)).ConfigureAwait(false);
        NoteFreed();
        return Errno.None;
    }

    public override async ValueTask<Errno> RmDirAsync(FuseRequest request)
    {
        RequireWritable();
        await _names.RemoveDirectoryAsync(NodeOf(request), NameOf(request)).ConfigureAwait(false);
        NoteFreed();
        return Errno.None;
    }

    public override ValueTask<Errno> RenameAsync(FuseRequest request) =>
        RenameAsync(request, request.Arguments<FuseRenameIn>().NewDirectory, FuseRenameFlags.None);

    public override ValueTask<Errno> Rename2Async(FuseRequest request)
    {
        FuseRename2In rename = request.Arguments<FuseRename2In>();
        return RenameAsync(request, rename.NewDirectory, rename.Flags);
    }

    public override async ValueTask<Errno> ReadLinkAsync(FuseRequest request)
    {
        Inode link = NodeOf(request);
        if (link.Kind != FileKind.SymbolicLink)
        {
            return Errno.EINVAL;
        }

        byte[] target = await link.ReadLinkAsync().ConfigureAwait(false);
        FileTimes.Accessed(link, IsReadOnly ? IoOptions.NoAccessTime : IoOptions.None);
        target.CopyTo(request.RentPayload(target.Length));
        return request.ReplyPayload(target.Length);
    }

    private async ValueTask<Errno> RenameAsync(FuseRequest request, ulong newDirectory, FuseRenameFlags flags)
    {
        RequireWritable();
        FileName to = FileName.From(request.SecondName.ToArray());

        // The values are Linux's on both sides; what we do not know is refused below.
        NewNode? whiteout = (flags & FuseRenameFlags.Whiteout) != 0 ? NewNodeOf(request, FileKind.CharacterDevice, 0, 0) : null;
        await _names.RenameAsync(NodeOf(request), NameOf(request), _nodes[newDirectory], to, (RenameFlags)flags, whiteout).ConfigureAwait(false);
        return Errno.None;
    }

    private async ValueTask<Errno> MakeAsync(FuseRequest request, FileName name, NewNode what)
    {
        RequireWritable();
        Inode made = await _names.MakeAsync(NodeOf(request), name, what).ConfigureAwait(false);
        return await ReplyEntryAsync(request, made).ConfigureAwait(false);
    }

    private NewNode NewNodeOf(FuseRequest request, FileKind kind, uint mode, uint umask) => new()
    {
        Mode = (ushort)(ModeBits.FromKind(kind) | PermissionsOf(request, kind, mode)),
        UserId = request.Header.Uid,
        GroupId = request.Header.Gid,
        Umask = (ushort)(umask & ModeBits.PermissionMask),
    };

    /// <summary>
    /// In a directory that hands its group down, only a member of that group (or root) may make a file that runs with it. Kernels since 6.1 take the
    /// bit away before they ask.
    /// </summary>
    private uint PermissionsOf(FuseRequest request, FileKind kind, uint mode)
    {
        const uint RunsWithGroup = ModeBits.SetGid | ModeBits.GroupExecute;
        uint permissions = mode & ModeBits.PermissionMask;
        InodeAttributes parent = NodeOf(request).Attributes;
        bool isOutsider = request.Header.Uid != 0 && request.Header.Gid != parent.GroupId && !request.HasSupplementaryGroup(parent.GroupId);
        bool isTaken = kind != FileKind.Directory && (parent.Mode & ModeBits.SetGid) != 0
            && (permissions & RunsWithGroup) == RunsWithGroup && isOutsider;
        return isTaken ? permissions & ~(uint)ModeBits.SetGid : permissions;
    }
}

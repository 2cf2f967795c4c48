using Penstock.Mapping;

namespace Penstock.Files;

/// <content>Making inodes and names: create, mkdir, mknod, symlink, link.</content>
internal sealed partial class Namespace
{
    private const int MaxLinkTarget = 4095;

    /// <summary>Opens or makes a regular file.</summary>
    /// <returns>The inode, and whether it was made.</returns>
    /// <exception cref="FileSystemException">Exists, if <paramref name="isExclusive"/>; ReadOnly, NoSpace, NotPermitted, …</exception>
    public async ValueTask<(Inode Inode, bool IsNew)> CreateAsync(Inode directory, FileName name, NewNode what, bool isExclusive)
    {
        Inode? existing = await TryLookupAsync(directory, name).ConfigureAwait(false);
        if (existing is not null)
        {
            return (await OpenExistingAsync(existing, name, isExclusive).ConfigureAwait(false), false);
        }

        await directory.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            InodeNumber number = await fileSystem.LookupAsync(directory, name).ConfigureAwait(false);
            if (number.IsNone)
            {
                return (await MakeLockedAsync(directory, name, what).ConfigureAwait(false), true);
            }

            existing = await Inodes.GetAsync(number).ConfigureAwait(false);
        }
        finally
        {
            directory.Lock.ReleaseExclusive();
        }

        return (await OpenExistingAsync(existing, name, isExclusive).ConfigureAwait(false), false);
    }

    /// <summary>Makes an inode of any kind and its name: mkdir, mknod, symlink, or a file that must not exist.</summary>
    /// <exception cref="FileSystemException">Exists, NotFound (the directory was removed; an empty link target), NameTooLong (link target),
    /// ReadOnly, NotPermitted, NoSpace, TooManyLinks.</exception>
    public async ValueTask<Inode> MakeAsync(Inode directory, FileName name, NewNode what)
    {
        RequireDirectory(directory);
        FileKind kind = ModeBits.ToKind(what.Mode);
        if (kind == FileKind.SymbolicLink)
        {
            RequireLinkTarget(what.LinkTarget.Span, name);
        }
        else if (kind == FileKind.Unknown)
        {
            throw Fail(IoFault.InvalidArgument, name);
        }

        await directory.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            await RequireFreeAsync(directory, name).ConfigureAwait(false);
            return await MakeLockedAsync(directory, name, what).ConfigureAwait(false);
        }
        finally
        {
            directory.Lock.ReleaseExclusive();
        }
    }

    /// <summary>Makes a regular file without a name (O_TMPFILE); it goes with its last reference unless it is linked.</summary>
    public async ValueTask<Inode> CreateUnnamedAsync(Inode directory, NewNode what)
    {
        RequireDirectory(directory);
        await directory.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            RequireWritable();
            RequireRoomForNames(directory, s_parentName);
            return await fileSystem.CreateUnnamedAsync(directory, await InheritAsync(directory, what).ConfigureAwait(false))
                .ConfigureAwait(false);
        }
        finally
        {
            directory.Lock.ReleaseExclusive();
        }
    }

    /// <summary>Gives an inode another name.</summary>
    /// <exception cref="FileSystemException">Exists, NotPermitted (a directory; immutable or append-only), NotFound (it has no name left),
    /// TooManyLinks, CrossesVolumes.</exception>
    public async ValueTask LinkAsync(Inode directory, FileName name, Inode target)
    {
        RequireDirectory(directory);
        if (target.FileSystem != fileSystem)
        {
            throw Fail(IoFault.CrossesVolumes, name);
        }

        // A directory's lock ranks above: with the check up front the locks below are in order, and directories have one name only.
        bool isDirectory = target.Kind == FileKind.Directory;
        await directory.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            await RequireFreeAsync(directory, name).ConfigureAwait(false);
            RequireWritable();
            RequireRoomForNames(directory, name);
            if (isDirectory || Is(target, FileFlags.AppendOnly | FileFlags.Immutable))
            {
                throw Fail(IoFault.NotPermitted, name);
            }

            await LinkLockedAsync(directory, name, target).ConfigureAwait(false);
        }
        finally
        {
            directory.Lock.ReleaseExclusive();
        }
    }

    private async ValueTask LinkLockedAsync(Inode directory, FileName name, Inode target)
    {
        await target.Lock.AcquireExclusiveAsync().ConfigureAwait(false);
        try
        {
            if (target.Attributes.Links == 0 && !target.IsUnnamed)
            {
                throw Fail(IoFault.NotFound, name);
            }

            await fileSystem.LinkAsync(directory, name, target).ConfigureAwait(false);
        }
        finally
        {
            target.Lock.ReleaseExclusive();
        }
    }

    private async ValueTask<Inode> OpenExistingAsync(Inode existing, FileName name, bool isExclusive)
    {
        if (!isExclusive)
        {
            return existing;
        }

        await ReleaseAsync(existing).ConfigureAwait(false);
        throw Fail(IoFault.Exists, name);
    }

    private async ValueTask RequireFreeAsync(Inode directory, FileName name)
    {
        if (name.IsDotOrDotDot || !(await fileSystem.LookupAsync(directory, name).ConfigureAwait(false)).IsNone)
        {
            throw Fail(IoFault.Exists, name);
        }
    }

    private static void RequireLinkTarget(ReadOnlySpan<byte> target, FileName name)
    {
        if (target.IsEmpty)
        {
            throw Fail(IoFault.NotFound, name);
        }

        if (target.Length > MaxLinkTarget)
        {
            throw Fail(IoFault.NameTooLong, name);
        }

        if (target.Contains((byte)0))
        {
            throw Fail(IoFault.InvalidArgument, name);
        }
    }

    private async ValueTask<Inode> MakeLockedAsync(Inode directory, FileName name, NewNode what)
    {
        RequireWritable();
        RequireRoomForNames(directory, name);
        NewInode inherited = await InheritAsync(directory, what).ConfigureAwait(false);
        return await fileSystem.CreateAsync(directory, name, inherited).ConfigureAwait(false);
    }

    /// <summary>Applies what a new inode takes from its directory: the group where setgid says so, and the default ACL or else the umask.</summary>
    private static async ValueTask<NewInode> InheritAsync(Inode directory, NewNode what)
    {
        InodeAttributes parent = directory.Attributes;
        bool inheritsGroup = (parent.Mode & ModeBits.SetGid) != 0;
        ushort mode = what.Mode;
        FileKind kind = ModeBits.ToKind(mode);
        byte[]? accessAcl = null;
        byte[]? defaultAcl = null;
        if (kind != FileKind.SymbolicLink)
        {
            byte[]? inherited = await directory.GetAttributeAsync(AccessControlList.DefaultName).ConfigureAwait(false);
            if (inherited is null)
            {
                mode &= (ushort)~(what.Umask & ModeBits.PermissionMask);
            }
            else
            {
                (mode, accessAcl) = AccessControlList.Parse(inherited).Inherit(mode);
                defaultAcl = kind == FileKind.Directory ? inherited : null;
            }
        }

        if (inheritsGroup && kind == FileKind.Directory)
        {
            mode |= ModeBits.SetGid;
        }

        return new NewInode
        {
            Mode = mode,
            UserId = what.UserId,
            GroupId = inheritsGroup ? parent.GroupId : what.GroupId,
            DeviceNumber = what.DeviceNumber,
            LinkTarget = what.LinkTarget,
            AccessAcl = ToMemory(accessAcl),
            DefaultAcl = ToMemory(defaultAcl),
        };
    }

    // Written out, since the implicit conversion makes an empty value of null.
    private static ReadOnlyMemory<byte>? ToMemory(byte[]? value) => value is null ? default(ReadOnlyMemory<byte>?) : new ReadOnlyMemory<byte>(value);
}

using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>
/// Names and what they lead to: the layer that takes the locks of directories and inodes in the order of their ranks, and judges what may
/// be done, with the errors that Linux gives. Knows no format, and no permissions: whoever serves several users checks those.
/// </summary>
/// <remarks>
/// Every inode that is handed out carries a reference for the caller; every inode that is passed in must be referenced by him. No lock is
/// held on entry or return.
/// </remarks>
internal sealed partial class Namespace(FileSystem fileSystem)
{
    private static readonly FileName s_parentName = FileName.From("..");

    public FileSystem FileSystem => fileSystem;

    private InodeTable Inodes => fileSystem.Inodes;

    public ValueTask<Inode> GetRootAsync() => Inodes.GetAsync(fileSystem.RootNumber);

    /// <summary>What a name leads to, or null. "." and ".." are names here; ".." of the root is the root.</summary>
    /// <exception cref="FileSystemException">NotADirectory.</exception>
    public ValueTask<Inode?> TryLookupAsync(Inode directory, FileName name) =>
        TryLookup(directory, name.Bytes, out Inode? inode) ? new ValueTask<Inode?>(inode) : LookInDirectoryAsync(directory, name);

    /// <summary>As <see cref="TryLookupAsync"/>, if that is known without waiting and without reading; else false. "." and ".." never are.</summary>
    public bool TryLookup(Inode directory, ReadOnlySpan<byte> name, out Inode? inode)
    {
        inode = null;
        if (directory.Kind != FileKind.Directory || !directory.Lock.TryAcquireShared())
        {
            return false;
        }

        try
        {
            return fileSystem.TryLookup(directory, name, out InodeNumber number)
                && (number.IsNone || (inode = Inodes.TryGet(number)) is not null);
        }
        finally
        {
            directory.Lock.ReleaseShared();
        }
    }

    private async ValueTask<Inode?> LookInDirectoryAsync(Inode directory, FileName name)
    {
        RequireDirectory(directory);
        await directory.Lock.AcquireSharedAsync().ConfigureAwait(false);
        try
        {
            // The inode is taken under the lock: its name cannot go meanwhile, and with it the inode.
            InodeNumber number = await fileSystem.LookupAsync(directory, name).ConfigureAwait(false);
            return number.IsNone ? null : await Inodes.GetAsync(number).ConfigureAwait(false);
        }
        finally
        {
            directory.Lock.ReleaseShared();
        }
    }

    /// <summary>As <see cref="TryLookupAsync"/>, but a name that does not exist is an error.</summary>
    /// <exception cref="FileSystemException">NotFound, NotADirectory.</exception>
    public async ValueTask<Inode> LookupAsync(Inode directory, FileName name) =>
        await TryLookupAsync(directory, name).ConfigureAwait(false) ?? throw Fail(IoFault.NotFound, name);

    /// <summary>Tells <paramref name="sink"/> of the entries after <paramref name="position"/>; 0 is the start.</summary>
    public async ValueTask ReadDirectoryAsync(Inode directory, ulong position, IDirectorySink sink)
    {
        RequireDirectory(directory);
        await directory.Lock.AcquireSharedAsync().ConfigureAwait(false);
        try
        {
            if (directory.Attributes.Links != 0)
            {
                await fileSystem.ReadDirectoryAsync(directory, position, sink).ConfigureAwait(false);
            }
        }
        finally
        {
            directory.Lock.ReleaseShared();
        }
    }

    private static FileSystemException Fail(IoFault fault, FileName name) => new(fault, $"{name}: {fault.Describe()}");

    private static void RequireDirectory(Inode inode)
    {
        if (inode.Kind != FileKind.Directory)
        {
            throw new FileSystemException(IoFault.NotADirectory);
        }
    }

    private void RequireWritable()
    {
        if (fileSystem.ReadOnlyReason is { } reason)
        {
            throw new FileSystemException(IoFault.ReadOnly, $"{IoFault.ReadOnly.Describe()}: {reason}");
        }
    }

    private static bool Is(Inode inode, FileFlags flags) => (inode.Attributes.Flags & flags) != 0;

    /// <summary>Whether a name may be added to the directory, whose lock is held.</summary>
    private static void RequireRoomForNames(Inode directory, FileName name)
    {
        if (directory.Attributes.Links == 0)
        {
            // It was removed while somebody had it open.
            throw Fail(IoFault.NotFound, name);
        }

        if (Is(directory, FileFlags.Immutable))
        {
            throw Fail(IoFault.NotPermitted, name);
        }
    }

    /// <summary>Whether a name that leads to <paramref name="target"/> may be taken from the directory; the locks of both are held.</summary>
    private void RequireRemovable(Inode directory, FileName name, Inode target, bool asDirectory)
    {
        if (Is(directory, FileFlags.AppendOnly | FileFlags.Immutable) || Is(target, FileFlags.AppendOnly | FileFlags.Immutable))
        {
            throw Fail(IoFault.NotPermitted, name);
        }

        bool isDirectory = target.Kind == FileKind.Directory;
        if (isDirectory != asDirectory)
        {
            throw Fail(isDirectory ? IoFault.IsADirectory : IoFault.NotADirectory, name);
        }

        if (target.Number == fileSystem.RootNumber)
        {
            throw Fail(IoFault.Busy, name);
        }
    }

    private async ValueTask ReleaseAsync(Inode? inode)
    {
        if (inode is not null)
        {
            await Inodes.ReleaseAsync(inode).ConfigureAwait(false);
        }
    }
}

using System.Text;

namespace Penstock.Files;

/// <summary>
/// Finds what a path leads to, component by component, following symbolic links as Linux does. Paths are bytes; they start at the root
/// whether or not they start with a slash. Every inode that is handed out carries a reference.
/// </summary>
/// <remarks>
/// A path whose names are all known (see <see cref="NameCache"/>) is walked at once, without a wait and without memory; whatever stops that walk, a link or a lock
/// that is taken, begins the other one anew.
/// </remarks>
internal sealed class PathWalk(Namespace names)
{
    private const int MaxLinks = 40;
    private const int MaxLength = 4096;

    /// <summary>The longest path, in bytes, that is walked at once: it lies on the stack.</summary>
    private const int MaxKnownLength = 512;

    private InodeTable Inodes => names.FileSystem.Inodes;

    /// <summary>What the path leads to. A trailing slash asks for a directory.</summary>
    /// <exception cref="FileSystemException">NotFound, NotADirectory, TooManySymlinks, NameTooLong.</exception>
    public ValueTask<Inode> FindAsync(string path, bool followsLast = true) =>
        path.Length == 0 ? FindAnewAsync(path, followsLast, default)
        : !TryFind(path, followsLast, out Inode? inode, out Held held) ? FindAnewAsync(path, followsLast, held)
        : inode is not null ? new ValueTask<Inode>(inode)
        : ValueTask.FromException<Inode>(Fail(IoFault.NotFound, path));

    /// <summary>As <see cref="FindAsync"/>, but null where a name of the path does not exist.</summary>
    public ValueTask<Inode?> TryFindAsync(string path, bool followsLast = true) =>
        path.Length == 0 ? TryFindAnewAsync(path, followsLast, default)
        : TryFind(path, followsLast, out Inode? inode, out Held held) ? new ValueTask<Inode?>(inode)
        : TryFindAnewAsync(path, followsLast, held);

    /// <summary>Walks a path of which all is known: null if something is known not to be there.</summary>
    /// <param name="path">The path; the root if it is empty.</param>
    /// <param name="followsLast">Whether a symbolic link at the end is to be followed.</param>
    /// <param name="inode">What it leads to, with a reference.</param>
    /// <param name="held">After false: what the other walk has to release first.</param>
    private bool TryFind(ReadOnlySpan<char> path, bool followsLast, out Inode? inode, out Held held)
    {
        (inode, held) = (null, default);
        Span<byte> buffer = stackalloc byte[MaxKnownLength];
        if (!Encoding.UTF8.TryGetBytes(path, buffer, out int length))
        {
            return false;
        }

        ReadOnlySpan<byte> rest = ((ReadOnlySpan<byte>)buffer)[..length].TrimStart((byte)'/');
        if (Inodes.TryGet(names.FileSystem.RootNumber) is not { } here)
        {
            return false;
        }

        bool isDirectoryWanted = false;
        inode = here;
        while (here is not null && !rest.IsEmpty)
        {
            isDirectoryWanted = TakeName(ref rest, out ReadOnlySpan<byte> name);
            bool isKnown = names.TryLookup(here, name, out inode);
            bool isReleased = Inodes.TryRelease(here);
            bool follows = !rest.IsEmpty || followsLast || isDirectoryWanted;
            if (!isKnown || !isReleased || (follows && inode?.Kind == FileKind.SymbolicLink))
            {
                held = new Held(isReleased ? null : here, inode);
                return false;
            }

            here = inode;
        }

        if (here is null || !isDirectoryWanted || here.Kind == FileKind.Directory)
        {
            return true;
        }

        held = new Held(null, here);
        return false;
    }

    /// <summary>Takes a name off the front, with the slashes behind it. Whether there were any.</summary>
    private static bool TakeName(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name)
    {
        int slash = rest.IndexOf((byte)'/');
        name = slash < 0 ? rest : rest[..slash];
        rest = slash < 0 ? default : rest[slash..].TrimStart((byte)'/');
        return slash >= 0;
    }

    private async ValueTask<Inode> FindAnewAsync(string path, bool followsLast, Held held) =>
        await TryFindAnewAsync(path, followsLast, held).ConfigureAwait(false) ?? throw Fail(IoFault.NotFound, path);

    private async ValueTask<Inode?> TryFindAnewAsync(string path, bool followsLast, Held held)
    {
        await ReleaseAsync(held).ConfigureAwait(false);
        var walk = new State(Encode(path));
        Inode? here = await names.GetRootAsync().ConfigureAwait(false);
        while (here is not null && walk.TryTake(out FileName name, out bool isLast))
        {
            here = await StepAsync(here, name, follows: !isLast || followsLast || walk.MustBeDirectory, walk).ConfigureAwait(false);
        }

        if (here is not null && walk.MustBeDirectory && here.Kind != FileKind.Directory)
        {
            await Inodes.ReleaseAsync(here).ConfigureAwait(false);
            throw Fail(IoFault.NotADirectory, path);
        }

        return here;
    }

    /// <summary>The directory that holds, or would hold, the last name of the path; and that name.</summary>
    /// <exception cref="FileSystemException">As <see cref="FindAsync"/>; Exists for a path without a name, such as the root.</exception>
    public ValueTask<(Inode Directory, FileName Name)> FindParentAsync(string path)
    {
        int start = path.LastIndexOf('/') + 1;
        string last = path[start..];
        if (last is "" or "." or ".." || last.Contains('\0') || Encoding.UTF8.GetByteCount(last) > FileName.MaxLength)
        {
            return FindParentAnewAsync(path, default);
        }

        bool isKnown = TryFind(path.AsSpan(0, start), followsLast: true, out Inode? directory, out Held held);
        return isKnown && directory?.Kind == FileKind.Directory
            ? new ValueTask<(Inode, FileName)>((directory, FileName.From(last)))
            : FindParentAnewAsync(path, isKnown ? new Held(null, directory) : held);
    }

    private async ValueTask<(Inode Directory, FileName Name)> FindParentAnewAsync(string path, Held held)
    {
        await ReleaseAsync(held).ConfigureAwait(false);
        var walk = new State(Encode(path));
        Inode here = await names.GetRootAsync().ConfigureAwait(false);
        while (walk.TryTake(out FileName name, out bool isLast))
        {
            if (isLast && !name.IsDotOrDotDot)
            {
                if (here.Kind == FileKind.Directory)
                {
                    return (here, name);
                }

                await Inodes.ReleaseAsync(here).ConfigureAwait(false);
                throw Fail(IoFault.NotADirectory, path);
            }

            here = await StepAsync(here, name, follows: true, walk).ConfigureAwait(false) ?? throw Fail(IoFault.NotFound, path);
        }

        await Inodes.ReleaseAsync(here).ConfigureAwait(false);
        throw Fail(IoFault.Exists, path);
    }

    private static FileSystemException Fail(IoFault fault, string path) => new(fault, $"{path}: {fault.Describe()}");

    private static byte[] Encode(string path)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(path);
        return bytes.Length switch
        {
            0 => throw Fail(IoFault.NotFound, "''"),
            >= MaxLength => throw Fail(IoFault.NameTooLong, path[..64] + "…"),
            _ => bytes,
        };
    }

    /// <summary>Goes from a directory, whose reference it gives back, to what a name in it leads to; null if there is no such name.</summary>
    private async ValueTask<Inode?> StepAsync(Inode directory, FileName name, bool follows, State walk)
    {
        try
        {
            Inode? next = await names.TryLookupAsync(directory, name).ConfigureAwait(false);
            if (next?.Kind != FileKind.SymbolicLink || !follows)
            {
                return next;
            }

            byte[] target;
            try
            {
                target = await next.ReadLinkAsync().ConfigureAwait(false);
            }
            finally
            {
                await Inodes.ReleaseAsync(next).ConfigureAwait(false);
            }

            if (walk.FollowedLinks++ >= MaxLinks)
            {
                throw new FileSystemException(IoFault.TooManySymlinks, $"{name}: {IoFault.TooManySymlinks.Describe()}");
            }

            walk.Prepend(target);
            if (target is [(byte)'/', ..])
            {
                return await names.GetRootAsync().ConfigureAwait(false);
            }

            Inodes.Reference(directory);
            return directory;
        }
        finally
        {
            await Inodes.ReleaseAsync(directory).ConfigureAwait(false);
        }
    }

    private async ValueTask ReleaseAsync(Held held)
    {
        if (held.Directory is not null)
        {
            await Inodes.ReleaseAsync(held.Directory).ConfigureAwait(false);
        }

        if (held.Found is not null)
        {
            await Inodes.ReleaseAsync(held.Found).ConfigureAwait(false);
        }
    }

    /// <summary>What a walk that was given up holds a reference to. It could not always be given back at once: with the last one a removed file is deleted.</summary>
    private readonly record struct Held(Inode? Directory, Inode? Found);

    /// <summary>What is left of the path.</summary>
    private sealed class State(ReadOnlyMemory<byte> path)
    {
        private ReadOnlyMemory<byte> _rest = path;

        public int FollowedLinks { get; set; }

        /// <summary>Whether the name taken last was followed by a slash.</summary>
        public bool MustBeDirectory { get; private set; }

        public bool TryTake(out FileName name, out bool isLast)
        {
            _rest = TrimSlashes(_rest);
            if (_rest.IsEmpty)
            {
                (name, isLast) = (default, false);
                return false;
            }

            int slash = _rest.Span.IndexOf((byte)'/');
            name = FileName.From(slash < 0 ? _rest : _rest[..slash]);
            MustBeDirectory = slash >= 0;
            _rest = slash < 0 ? default : TrimSlashes(_rest[slash..]);
            isLast = _rest.IsEmpty;
            return true;
        }

        /// <summary>Puts the target of a symbolic link in front of what is left.</summary>
        public void Prepend(byte[] target)
        {
            bool wasDirectory = MustBeDirectory;
            if (target.Length + _rest.Length + 1 >= MaxLength * 2)
            {
                throw new FileSystemException(IoFault.NameTooLong);
            }

            var joined = new byte[target.Length + 1 + _rest.Length];
            target.CopyTo(joined, 0);
            joined[target.Length] = (byte)'/';
            _rest.Span.CopyTo(joined.AsSpan(target.Length + 1));
            _rest = _rest.IsEmpty && !wasDirectory ? target : joined;
        }

        private static ReadOnlyMemory<byte> TrimSlashes(ReadOnlyMemory<byte> path)
        {
            int start = 0;
            while (start < path.Length && path.Span[start] == (byte)'/')
            {
                start++;
            }

            return path[start..];
        }
    }
}

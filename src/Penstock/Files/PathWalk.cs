using System.Text;

namespace Penstock.Files;

/// <summary>
/// Finds what a path leads to, component by component, following symbolic links as Linux does. Paths are bytes; they start at the root
/// whether or not they start with a slash. Every inode that is handed out carries a reference.
/// </summary>
internal sealed class PathWalk(Namespace names)
{
    private const int MaxLinks = 40;
    private const int MaxLength = 4096;

    private InodeTable Inodes => names.FileSystem.Inodes;

    /// <summary>What the path leads to. A trailing slash asks for a directory.</summary>
    /// <exception cref="FileSystemException">NotFound, NotADirectory, TooManySymlinks, NameTooLong.</exception>
    public async ValueTask<Inode> FindAsync(string path, bool followsLast = true)
    {
        var walk = new State(Encode(path));
        Inode here = await names.GetRootAsync().ConfigureAwait(false);
        while (walk.TryTake(out FileName name, out bool isLast))
        {
            here = await StepAsync(here, name, follows: !isLast || followsLast || walk.MustBeDirectory, walk).ConfigureAwait(false);
        }

        if (walk.MustBeDirectory && here.Kind != FileKind.Directory)
        {
            await Inodes.ReleaseAsync(here).ConfigureAwait(false);
            throw Fail(IoFault.NotADirectory, path);
        }

        return here;
    }

    /// <summary>The directory that holds, or would hold, the last name of the path; and that name.</summary>
    /// <exception cref="FileSystemException">As <see cref="FindAsync"/>; Exists for a path without a name, such as the root.</exception>
    public async ValueTask<(Inode Directory, FileName Name)> FindParentAsync(string path)
    {
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

            here = await StepAsync(here, name, follows: true, walk).ConfigureAwait(false);
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

    /// <summary>Goes from a directory, whose reference it gives back, to what a name in it leads to.</summary>
    private async ValueTask<Inode> StepAsync(Inode directory, FileName name, bool follows, State walk)
    {
        try
        {
            Inode next = await names.LookupAsync(directory, name).ConfigureAwait(false);
            if (next.Kind != FileKind.SymbolicLink || !follows)
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

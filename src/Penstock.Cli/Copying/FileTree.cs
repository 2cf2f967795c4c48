namespace Penstock.Cli.Copying;

/// <summary>A tree of files to copy from or to: the host's, or a volume's. Paths are the tree's own.</summary>
internal abstract class FileTree
{
    /// <summary>The path as users write it, for messages.</summary>
    public abstract string Describe(string path);

    /// <summary>How many files are worth reading at once: more than one where a read waits for a device, and not for the host's cache.</summary>
    public virtual int FilesAtOnce => 1;

    /// <summary>What is there, or null.</summary>
    public abstract ValueTask<TreeFile?> FindAsync(string path, bool followLink);

    /// <summary>The names in a directory, sorted.</summary>
    public abstract ValueTask<List<string>> ListAsync(string path, CancellationToken cancellationToken);

    public abstract ValueTask<TreeContent> OpenAsync(string path, CancellationToken cancellationToken);

    /// <summary>Makes a file, or empties the one that is there.</summary>
    public abstract ValueTask<TreeContent> CreateAsync(string path, UnixFileMode permissions, CancellationToken cancellationToken);

    public abstract ValueTask MakeDirectoryAsync(string path, UnixFileMode permissions);

    public abstract ValueTask MakeSymbolicLinkAsync(string path, string target);

    public abstract ValueTask MakeHardLinkAsync(string existing, string path);

    public abstract ValueTask MakeNodeAsync(string path, TreeFile file);

    /// <summary>Removes anything but a directory.</summary>
    public abstract ValueTask RemoveAsync(string path);

    public abstract ValueTask<string> ReadLinkAsync(string path);

    public abstract ValueTask<List<(string Name, byte[] Value)>> ReadAttributesAsync(string path);

    public abstract ValueTask SetAttributeAsync(string path, string name, ReadOnlyMemory<byte> value);

    public abstract ValueTask SetPermissionsAsync(string path, UnixFileMode permissions);

    /// <summary>Sets the owner of a file, of a symbolic link itself. Silent where the user may not.</summary>
    public abstract ValueTask SetOwnerAsync(string path, uint userId, uint groupId);

    /// <summary>Sets the times of a file, of a symbolic link itself.</summary>
    public abstract ValueTask SetTimesAsync(string path, Timestamp access, Timestamp modify);

    /// <summary>The path of a name in a directory.</summary>
    public virtual string Join(string directory, string name) => directory.EndsWith('/') ? directory + name : $"{directory}/{name}";
}

/// <summary>What is known of a file of a <see cref="FileTree"/>.</summary>
internal readonly record struct TreeFile
{
    public required FileKind Kind { get; init; }

    public required UnixFileMode Permissions { get; init; }

    public uint UserId { get; init; }

    public uint GroupId { get; init; }

    public long Length { get; init; }

    public long AllocatedBytes { get; init; }

    public uint Links { get; init; }

    public Timestamp AccessTime { get; init; }

    public Timestamp ModifyTime { get; init; }

    public ulong DeviceNumber { get; init; }

    /// <summary>What two names of one file have in common.</summary>
    public (ulong Device, ulong Inode) Identity { get; init; }

    /// <summary>Whether it has holes.</summary>
    public bool IsSparse => Kind == FileKind.Regular && AllocatedBytes < Length;
}

/// <summary>An open file of a <see cref="FileTree"/>.</summary>
internal abstract class TreeContent : IAsyncDisposable
{
    public abstract ValueTask<int> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellationToken);

    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, long offset, CancellationToken cancellationToken);

    /// <summary>The first offset from <paramref name="offset"/> on that may hold something else than zeros of a hole.</summary>
    public abstract ValueTask<long> SkipHoleAsync(long offset);

    public abstract ValueTask SetLengthAsync(long length);

    public abstract ValueTask DisposeAsync();
}

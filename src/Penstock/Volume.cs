using System.Runtime.CompilerServices;
using Penstock.Caching;
using Penstock.Devices;
using Penstock.Ext4;
using Penstock.Files;

namespace Penstock;

/// <summary>
/// An open volume: a file system in this process. Every member may be called from any thread, any number at once. Paths start at the
/// volume's root. Closing writes everything back.
/// </summary>
public sealed partial class Volume : IAsyncDisposable
{
    private readonly VolumeOptions _options;
    private readonly PathWalk _walk;
    private readonly BlockDevice? _journalDevice;
    private int _isClosed;

    private Volume(FileSystem fileSystem, VolumeOptions options, BlockDevice? journalDevice)
    {
        _journalDevice = journalDevice;
        FileSystem = fileSystem;
        Names = new Namespace(fileSystem);
        _walk = new PathWalk(Names);
        _options = options;
    }

    /// <summary>The device as it was named.</summary>
    public string Name => FileSystem.Device.Name;

    /// <summary>The format: "ext2", "ext3", "ext4".</summary>
    public string FormatName => FileSystem.FormatName;

    /// <summary>Which path to the device is in use, and why: io_uring with O_DIRECT, or the portable one.</summary>
    public string DeviceDescription => FileSystem.Device.Description;

    /// <summary>Why nothing can be written, or null if everything can.</summary>
    public string? ReadOnlyReason => FileSystem.ReadOnlyReason;

    /// <summary>
    /// What was found in the journal as the volume was opened, and whether it was replayed or is read from there, in a few words; null if nothing waited.
    /// </summary>
    public string? RecoveryDescription => FileSystem.RecoveryDescription;

    /// <summary>Sizes and free space, at this moment.</summary>
    public VolumeStatistics Statistics => FileSystem.Statistics;

    internal FileSystem FileSystem { get; }

    internal Namespace Names { get; }

    /// <summary>Opens a volume.</summary>
    /// <param name="name">An image file, a block device, <c>IMAGE#N</c> for a partition, or <c>mem:SIZE</c>.</param>
    /// <param name="options">How to open it; for reading and writing if null.</param>
    /// <param name="cancellationToken">Honoured until the device is open.</param>
    /// <exception cref="DeviceException">The device cannot be opened, is in use, or fails.</exception>
    /// <exception cref="CorruptVolumeException">No volume that is known here, or a damaged one.</exception>
    /// <exception cref="UnsupportedFeatureException">The volume needs what this version cannot do.</exception>
    public static ValueTask<Volume> OpenAsync(
        string name, VolumeOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= VolumeOptions.Default;
        return UserOperation<Volume>.Carry(OpenNamedAsync(name, options, cancellationToken), options.Scheduler);
    }

    private static async ValueTask<Volume> OpenNamedAsync(string name, VolumeOptions options, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        cancellationToken.ThrowIfCancellationRequested();
        BlockDevice device = await DeviceOpener.OpenAsync(
            name, new DeviceOptions { Scheduler = options.Scheduler, IsReadOnly = options.IsReadOnly }).ConfigureAwait(false);
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            return await OpenAsync(device, options).ConfigureAwait(false);
        }
        catch
        {
            await device.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Opens the volume on a device, which then belongs to it; so does its journal's.</summary>
    internal static async ValueTask<Volume> OpenAsync(BlockDevice device, VolumeOptions options)
    {
        BlockDevice? journalDevice = options.JournalDevice is not { } name ? null
            : await DeviceOpener.OpenAsync(name, new DeviceOptions { Scheduler = options.Scheduler, IsReadOnly = options.IsReadOnly }).ConfigureAwait(false);
        try
        {
            return new Volume(await OpenFormatAsync(device, journalDevice, options).ConfigureAwait(false), options, journalDevice);
        }
        catch when (journalDevice is not null)
        {
            await journalDevice.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async ValueTask<FileSystem> OpenFormatAsync(BlockDevice device, BlockDevice? journalDevice, VolumeOptions options)
    {
        PageCache pages = options.PageCache ?? PageCache.GetShared(device.Scheduler, options.PageCacheBytes ?? 0);
        var ext4 = new Ext4OpenOptions
        {
            IsReadOnly = options.IsReadOnly,
            MayUseRootReserve = true,
            MountedOn = options.MountedOn,
            JournalDevice = journalDevice,
            UsesJournal = options.UsesJournal,
            DataMode = options.DataMode,
        };
        return await Ext4FileSystem.OpenAsync(device, pages, ext4).ConfigureAwait(false);
    }

    /// <summary>Opens a file, and makes it if <paramref name="mode"/> says so. Symbolic links are followed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mode">Whether it must exist, must not, is cut to nothing; Append adds <see cref="IoOptions.Append"/>.</param>
    /// <param name="access">For reading, writing or both.</param>
    /// <param name="options">The options of requests that name none.</param>
    /// <param name="permissions">The permissions of a file that is made.</param>
    /// <param name="cancellationToken">Honoured until the work begins.</param>
    /// <exception cref="FileSystemException">NotFound, Exists, IsADirectory, ReadOnly, NotPermitted, NoSpace, …</exception>
    public ValueTask<OpenFile> OpenFileAsync(
        string path,
        FileMode mode,
        FileAccess access,
        IoOptions options = IoOptions.None,
        UnixFileMode permissions = (UnixFileMode)0x1A4,
        CancellationToken cancellationToken = default) =>
        Carry(OpenPathAsync(path, mode, access, options, permissions, cancellationToken));

    private async ValueTask<OpenFile> OpenPathAsync(
        string path, FileMode mode, FileAccess access, IoOptions options, UnixFileMode permissions, CancellationToken cancellationToken)
    {
        Enter(cancellationToken);
        if (mode == FileMode.Append)
        {
            options |= IoOptions.Append;
        }

        Inode inode = await FindOrMakeAsync(path, mode, permissions).ConfigureAwait(false);
        try
        {
            RequireOpenable(inode, path, access, options);
            var file = new OpenFile(inode, access, options);
            if (mode is FileMode.Truncate or FileMode.Create && inode.Size > 0)
            {
                await file.SetLengthAsync(0, cancellationToken).ConfigureAwait(false);
            }

            return file;
        }
        catch
        {
            await FileSystem.Inodes.ReleaseAsync(inode).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Allocates memory for direct I/O that is registered with the kernel for this volume's device where that is to be had: it pins the pages once, and
    /// not in each request. Rent few and large buffers, and keep them: renting is a system call that touches every page.
    /// </summary>
    /// <param name="length">The length in bytes.</param>
    /// <returns>The buffer, to be disposed when no I/O on it is in flight, before or after the volume. Its <see cref="AlignedBuffer.PlainReason"/>
    /// says whether it is registered: portable and memory devices, the memlock limit and old kernels do without.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative.</exception>
    /// <exception cref="ObjectDisposedException">The volume is closed.</exception>
    public AlignedBuffer RentBuffer(int length)
    {
        Enter();
        return FileSystem.Device.RentBuffer(length);
    }

    /// <summary>What is known of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="followLink">Whether a symbolic link at the end is followed, or is itself what is asked for.</param>
    /// <exception cref="FileSystemException">NotFound, NotADirectory, TooManySymlinks.</exception>
    public ValueTask<FileDetails> GetDetailsAsync(string path, bool followLink = true)
    {
        Enter();
        ValueTask<Inode> find = _walk.FindAsync(path, followLink);
        return find.IsCompletedSuccessfully ? DescribeFound(find.Result) : Carry(DescribeAsync(find));
    }

    /// <summary>As <see cref="GetDetailsAsync"/>, but null for what is not there.</summary>
    /// <exception cref="FileSystemException">TooManySymlinks.</exception>
    public ValueTask<FileDetails?> TryGetDetailsAsync(string path, bool followLink = true) => Carry(DescribeIfThereAsync(path, followLink));

    /// <summary>Whether a path leads to something.</summary>
    public ValueTask<bool> ExistsAsync(string path) => Carry(LooksAsync(path));

    private async ValueTask<bool> LooksAsync(string path) =>
        await DescribeIfThereAsync(path, followLink: false).ConfigureAwait(false) is not null;

    /// <summary>The entries of a directory, without "." and "..", in an order that stays the same while others come and go.</summary>
    /// <exception cref="FileSystemException">NotFound, NotADirectory.</exception>
    public async IAsyncEnumerable<VolumeEntry> EnumerateAsync(
        string path, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Enter(cancellationToken);
        Inode directory = await Carry(_walk.FindAsync(path)).ConfigureAwait(false);
        try
        {
            var listing = new DirectoryBatch();
            do
            {
                cancellationToken.ThrowIfCancellationRequested();
                listing.Begin();
                await Carry(Names.ReadDirectoryAsync(directory, listing.Position, listing)).ConfigureAwait(false);
                foreach (VolumeEntry entry in listing.Entries)
                {
                    yield return entry;
                }
            }
            while (listing.HasMore);
        }
        finally
        {
            await Carry(FileSystem.Inodes.ReleaseAsync(directory)).ConfigureAwait(false);
        }
    }

    /// <summary>Completes when everything written to the volume before is on stable storage (syncfs).</summary>
    public ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        Enter(cancellationToken);
        return Carry(SyncPath.SyncFileSystemAsync(FileSystem));
    }

    /// <summary>Writes everything back, marks the volume clean, and gives the device up.</summary>
    public ValueTask DisposeAsync() => Carry(CloseAsync());

    private async ValueTask CloseAsync()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
        {
            try
            {
                await FileSystem.DisposeAsync().ConfigureAwait(false);
            }
            finally
            {
                await FileSystem.Device.DisposeAsync().ConfigureAwait(false);
                if (_journalDevice is not null)
                {
                    await _journalDevice.DisposeAsync().ConfigureAwait(false);
                }
            }
        }
    }

    private async ValueTask<FileDetails?> DescribeIfThereAsync(string path, bool followLink)
    {
        Enter();
        try
        {
            Inode? inode = await _walk.TryFindAsync(path, followLink).ConfigureAwait(false);
            return inode is null ? null : await DescribeFound(inode).ConfigureAwait(false);
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NotADirectory)
        {
            return null;
        }
    }

    private ValueTask<FileDetails> DescribeFound(Inode inode)
    {
        var details = new FileDetails(inode);
        return FileSystem.Inodes.TryRelease(inode) ? new ValueTask<FileDetails>(details) : Carry(LeaveAsync(inode, details));
    }

    private async ValueTask<FileDetails> DescribeAsync(ValueTask<Inode> find) => await DescribeFound(await find.ConfigureAwait(false)).ConfigureAwait(false);

    private async ValueTask<FileDetails> LeaveAsync(Inode inode, FileDetails details)
    {
        await FileSystem.Inodes.ReleaseAsync(inode).ConfigureAwait(false);
        return details;
    }

    private static void RequireOpenable(Inode inode, string path, FileAccess access, IoOptions options)
    {
        if (inode.Kind == FileKind.Directory)
        {
            throw new FileSystemException(IoFault.IsADirectory, $"{path}: {IoFault.IsADirectory.Describe()}");
        }

        if (inode.Kind != FileKind.Regular)
        {
            throw new FileSystemException(IoFault.NoSuchRange, $"{path}: not a regular file");
        }

        if ((access & FileAccess.Write) != 0)
        {
            FileChecks.MayChange(inode);
            if ((inode.Attributes.Flags & FileFlags.AppendOnly) != 0 && (options & IoOptions.Append) == 0)
            {
                throw new FileSystemException(IoFault.NotPermitted, $"{path}: the file is append-only");
            }
        }
    }

    private async ValueTask<Inode> FindOrMakeAsync(string path, FileMode mode, UnixFileMode permissions)
    {
        if (mode is FileMode.Open or FileMode.Truncate)
        {
            return await _walk.FindAsync(path).ConfigureAwait(false);
        }

        if (mode != FileMode.CreateNew)
        {
            // What is not there is made below, where another's file of that name is met again.
            if (await _walk.TryFindAsync(path).ConfigureAwait(false) is { } found)
            {
                return found;
            }
        }

        (Inode directory, FileName name) = await _walk.FindParentAsync(path).ConfigureAwait(false);
        try
        {
            NewNode node = Describe(FileKind.Regular, permissions);
            (Inode inode, _) = await Names.CreateAsync(directory, name, node, isExclusive: mode == FileMode.CreateNew).ConfigureAwait(false);
            return inode;
        }
        finally
        {
            await FileSystem.Inodes.ReleaseAsync(directory).ConfigureAwait(false);
        }
    }

    private NewNode Describe(FileKind kind, UnixFileMode permissions) => new()
    {
        Mode = (ushort)(ModeBits.FromKind(kind) | ((ushort)permissions & ModeBits.PermissionMask)),
        UserId = _options.UserId,
        GroupId = _options.GroupId,
    };

    /// <summary>To the user: his continuation runs in a place of his, where he may block.</summary>
    private ValueTask<T> Carry<T>(ValueTask<T> inner) => UserOperation<T>.Carry(inner, FileSystem.Scheduler);

    /// <inheritdoc cref="Carry{T}"/>
    private ValueTask Carry(ValueTask inner) => UserOperation.Carry(inner, FileSystem.Scheduler);

    private void Enter(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isClosed) != 0, this);
        cancellationToken.ThrowIfCancellationRequested();
    }
}

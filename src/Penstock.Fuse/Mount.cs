using Microsoft.Win32.SafeHandles;
using Penstock.Devices;
using Penstock.Files;
using Penstock.Fuse.Mounting;
using Penstock.Fuse.Session;
using Penstock.Fuse.Transport;

namespace Penstock.Fuse;

/// <summary>
/// A volume that is mounted on a directory. The volume stays the caller's: dispose it after <see cref="Completion"/>, and not before,
/// so that it stays locked until everything that programs wrote is on the device.
/// </summary>
/// <remarks>
/// Threads: the mount has its own, which read the kernel's requests; no thread waits for a request. This process must not touch the
/// mounted directory itself: a call that waits for the mount would wait for this process. Nor may its managed code touch memory that is mapped from a file there: while it waits
/// for a page, a collection of garbage waits for it, and the mount for that. As the buffer of a request such memory may be used.
/// </remarks>
public sealed class Mount : IAsyncDisposable
{
    private const int LargestRequest = 1024 * 1024;

    private readonly Namespace _names;
    private readonly FileSystem _fileSystem;
    private readonly MountPoint _mountPoint;
    private readonly FuseSession _session;
    private readonly VolumeHandler _handler;
    private int _isDetached;

    private Mount(Namespace names, MountPoint mountPoint, FuseSession session, VolumeHandler handler)
    {
        _names = names;
        _fileSystem = names.FileSystem;
        _mountPoint = mountPoint;
        _session = session;
        _handler = handler;
        Completion = CompleteAsync();
    }

    /// <summary>The full path of the directory.</summary>
    public string Directory => _mountPoint.Directory;

    /// <summary>
    /// Completes when the mount is gone, by whomever it was taken off, and everything written through it is on the device. Fails
    /// with the reason if something could not be written.
    /// </summary>
    public Task Completion { get; }

    /// <summary>Files that programs have open on the mount.</summary>
    internal int OpenFiles => _handler.OpenFiles;

    /// <summary>Mounts a volume; returns when the mount answers.</summary>
    /// <param name="volume">The volume, which must stay open until <see cref="Completion"/>.</param>
    /// <param name="directory">An existing directory.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="FileSystemException">NotFound, NotADirectory: the directory. NotPermitted: not root, and fusermount3 refuses.
    /// NotSupported: no FUSE here, or too old a kernel.</exception>
    public static ValueTask<Mount> StartAsync(Volume volume, string directory, MountOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(volume);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        return StartAsync(volume.Names, volume.Name, directory, options);
    }

    /// <summary>Mounts what has names; returns when the mount answers.</summary>
    /// <param name="names">The names of the volume.</param>
    /// <param name="source">What the mount table shows as the source.</param>
    /// <param name="directory">An existing directory.</param>
    /// <param name="options">How; null for the defaults.</param>
    internal static async ValueTask<Mount> StartAsync(Namespace names, string source, string directory, MountOptions? options = null)
    {
        options ??= new MountOptions();
        FileSystem fileSystem = names.FileSystem;
        if (fileSystem.IsReadOnly)
        {
            options = options with { IsReadOnly = true };
        }

        var handler = new VolumeHandler(names, await names.GetRootAsync().ConfigureAwait(false), options);
        FuseSession? session = null;
        MountPoint? mountPoint = null;
        try
        {
            mountPoint = MountPoint.Attach(directory, ToMountOptions(source, options), out SafeFileHandle device);
            session = CreateSession(device, fileSystem.Device, handler, options);
            session.Start();
            await session.Ready.ConfigureAwait(false);
            Readahead.TryRaise(mountPoint.Directory, LargestRequest);
            return new Mount(names, mountPoint, session, handler);
        }
        catch
        {
            if (session is not null)
            {
                mountPoint!.TryDetach();
                await session.Completion.ConfigureAwait(false);
                session.Dispose();
            }

            await handler.EndAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Takes off what is mounted on a directory, whichever process serves it. That process still writes back afterwards: the
    /// volume can be opened again once it has.
    /// </summary>
    /// <param name="directory">The directory.</param>
    /// <returns>False if files on it are open; nothing has changed then.</returns>
    /// <exception cref="FileSystemException">InvalidArgument: nothing is mounted there. NotPermitted: it is another user's.</exception>
    public static bool TryUnmount(string directory) => MountPoint.TryDetach(Path.GetFullPath(directory));

    /// <summary>
    /// Makes the kernel forget what it knows of a file: to be called after the file was made, changed or removed through the
    /// <see cref="Volume"/> itself, beside the mount. Programs see the change soon after this returns.
    /// </summary>
    /// <param name="path">The file, from the volume's root on. It need not exist any more.</param>
    /// <exception cref="FileSystemException">NotFound, NotADirectory: a directory on the way.</exception>
    public async ValueTask InvalidateAsync(string path)
    {
        (Inode directory, FileName name) = await new PathWalk(_names).FindParentAsync(path).ConfigureAwait(false);
        Inode? inode = null;
        try
        {
            inode = await _names.TryLookupAsync(directory, name).ConfigureAwait(false);
            _handler.Invalidate(_session.Notifier, directory, name, inode);
        }
        finally
        {
            await ReleaseAsync(inode).ConfigureAwait(false);
            await ReleaseAsync(directory).ConfigureAwait(false);
        }
    }

    /// <summary>Writes everything back and takes the mount off.</summary>
    /// <exception cref="FileSystemException">Busy: programs have files open there; everything is written back, and the mount stays.
    /// NoSpace: there is no room on the host for what is to be written; it is kept, and the mount stays. DeviceFailed: something could not be
    /// written.</exception>
    public ValueTask UnmountAsync() => TakeOffAsync(staysWithoutSpace: true);

    /// <summary>As <see cref="UnmountAsync"/>, if the mount is still there.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Completion.IsCompleted)
        {
            await TakeOffAsync(staysWithoutSpace: false).ConfigureAwait(false);
        }
    }

    private async ValueTask TakeOffAsync(bool staysWithoutSpace)
    {
        // Most of it beforehand, so that the directory is gone for as short as can be before all is on the device. A device that fails does not keep
        // the mount: it is met again below, by the sync that counts. Lack of space does, since somebody can make room.
        if (!Completion.IsCompleted && !_fileSystem.IsReadOnly)
        {
            try
            {
                await SyncPath.SyncFileSystemAsync(_fileSystem).ConfigureAwait(false);
            }
            catch (FileSystemException e) when (!staysWithoutSpace || e.Fault != IoFault.NoSpace)
            {
            }
        }

        Detach();
        await Completion.ConfigureAwait(false);
    }

    private static FuseMountOptions ToMountOptions(string source, MountOptions options) => new()
    {
        Source = options.Source ?? source,
        IsReadOnly = options.IsReadOnly,
        AllowsOtherUsers = options.AllowsOtherUsers ?? (LinuxCalls.EffectiveUserId() == 0),
        TrustsVolume = options.TrustsVolume,
        MaxRead = LargestRequest,
    };

    private static FuseSession CreateSession(SafeFileHandle device, BlockDevice host, VolumeHandler handler, MountOptions options)
    {
        var sessionOptions = new FuseSessionOptions
        {
            MaxWrite = LargestRequest,
            Readers = options.Readers,
            UsesWritebackCache = options.UsesWritebackCache,
            OnDefect = options.OnDefect,
        };
        var buffers = WireBufferPool.WithSlab(LargestRequest, sessionOptions.BufferLimit);
        var transport = new DeviceTransport(device, buffers, LargestRequest, options.Readers, host);
        return new FuseSession(transport, buffers, handler, sessionOptions);
    }

    private ValueTask ReleaseAsync(Inode? inode) => inode is null ? default : _fileSystem.Inodes.ReleaseAsync(inode);

    private void Detach()
    {
        if (Volatile.Read(ref _isDetached) != 0 || Completion.IsCompleted || _session.Completion.IsCompleted)
        {
            return;
        }

        if (!_mountPoint.TryDetach())
        {
            throw new FileSystemException(IoFault.Busy, $"{Directory}: files on it are open; close them and try again");
        }

        Volatile.Write(ref _isDetached, 1);
    }

    /// <summary>Whoever took the mount off: what the kernel left open is closed, and all is written back, before the volume may be let go.</summary>
    private async Task CompleteAsync()
    {
        await _session.Completion.ConfigureAwait(false);
        try
        {
            await _handler.EndAsync().ConfigureAwait(false);
            if (!_fileSystem.IsReadOnly)
            {
                await SyncPath.SyncFileSystemAsync(_fileSystem).ConfigureAwait(false);
            }
        }
        finally
        {
            _session.Dispose();
        }
    }
}

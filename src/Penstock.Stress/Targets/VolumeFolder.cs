using Penstock.Caching;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Ext4.Making;

namespace Penstock.Stress.Targets;

/// <summary>A directory, or one file, of a volume that is open in this process.</summary>
internal sealed class VolumeFolder : StressFolder
{
    private readonly string _name;
    private readonly string _path;
    private readonly VolumeOptions _options;
    private readonly List<VolumeStressFile> _open = [];
    private readonly Lock _latch = new();
    private Volume _volume;
    private bool _isDirectory;
    private string? _keptFile;

    private VolumeFolder(string name, string path, VolumeOptions options, Volume volume)
    {
        _name = name;
        _path = path;
        _options = options;
        _volume = volume;
        BlockSize = volume.Statistics.BlockSize;
    }

    public override string Name => $"{_name}:{_path}";

    public override string Description => $"{_volume.FormatName} in process, blocks of {BlockSize} bytes; {_volume.DeviceDescription}";

    public override int BlockSize { get; }

    public override long FreeBytes => (long)_volume.Statistics.FreeBlocks * BlockSize;

    public override string FilePrefix => _isDirectory ? "penstock-" : string.Empty;

    /// <summary>Memory is gone when it is closed.</summary>
    public override bool CanRemount => DeviceName.Parse(_name).Path is not null;

    public override string QueueDescription => "OpenFile, asynchronously";

    /// <summary>The volume, at this moment.</summary>
    internal Volume Volume => _volume;

    /// <summary>Opens the volume; one in memory is made first.</summary>
    /// <param name="name">The volume.</param>
    /// <param name="path">A directory in it, or a file, whose content is lost.</param>
    /// <param name="cacheBytes">A page cache of its own of this size; null for the one of the process.</param>
    /// <exception cref="FileSystemException">It cannot be opened or written.</exception>
    public static async ValueTask<VolumeFolder> OpenAsync(string name, string path, long? cacheBytes)
    {
        var options = new VolumeOptions { PageCache = cacheBytes is { } bytes ? new PageCache(Scheduler.Default, bytes) : null };
        Volume volume = await OpenVolumeAsync(name, options).ConfigureAwait(false);
        try
        {
            if (volume.ReadOnlyReason is { } reason)
            {
                throw new FileSystemException(IoFault.ReadOnly, $"{name}: cannot be written: {reason}");
            }

            var folder = new VolumeFolder(name, path, options, volume);
            await folder.LookAsync().ConfigureAwait(false);
            return folder;
        }
        catch
        {
            await volume.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public override StressFile Open(string name, bool isNew)
    {
        var file = new VolumeStressFile(this, name, isNew);
        lock (_latch)
        {
            _open.Add(file);
        }

        return file;
    }

    public override void Delete(string name)
    {
        try
        {
            string path = PathOf(name);
            if (path == _keptFile)
            {
                OpenFile file = Wait(_volume.OpenFileAsync(path, FileMode.Truncate, FileAccess.Write));
                file.Dispose();
            }
            else
            {
                Wait(_volume.DeleteFileAsync(path));
            }
        }
        catch (FileSystemException)
        {
            // The target may be gone, and its files with it.
        }
    }

    public override TransferQueue CreateQueue(int depth) => new VolumeTransferQueue(depth);

    public override int GetDirectAlignment(StressFile file)
    {
        OpenFile open = ((VolumeStressFile)file).Open;
        return Math.Max(open.DirectAlignment, open.DirectMemoryAlignment);
    }

    public override IoFault Remount()
    {
        lock (_latch)
        {
            _open.ForEach(f => f.Close());
            Wait(_volume.DisposeAsync());
            _volume = Wait(Volume.OpenAsync(_name, _options));
            return _open.Select(f => f.Reopen()).Aggregate(IoFault.None, (all, one) => all == IoFault.None ? one : all);
        }
    }

    internal OpenFile OpenFile(string name, FileMode mode) => Wait(_volume.OpenFileAsync(PathOf(name), mode, FileAccess.ReadWrite));

    internal void Forget(VolumeStressFile file)
    {
        lock (_latch)
        {
            _open.Remove(file);
        }
    }

    internal static T Wait<T>(ValueTask<T> task) => task.IsCompleted ? task.Result : task.AsTask().GetAwaiter().GetResult();

    internal static void Wait(ValueTask task) => task.AsTask().GetAwaiter().GetResult();

    protected override void Dispose(bool isDisposing) => Wait(_volume.DisposeAsync());

    private static async ValueTask<Volume> OpenVolumeAsync(string name, VolumeOptions options)
    {
        if (DeviceName.Parse(name).Path is not null)
        {
            return await Volume.OpenAsync(name, options).ConfigureAwait(false);
        }

        BlockDevice memory = await DeviceOpener.OpenAsync(name, new DeviceOptions()).ConfigureAwait(false);
        await Ext4Maker.MakeAsync(memory, new MakingOptions()).ConfigureAwait(false);
        return await Volume.OpenAsync(memory, options).ConfigureAwait(false);
    }

    private async ValueTask LookAsync()
    {
        try
        {
            FileKind kind = (await _volume.GetDetailsAsync(_path).ConfigureAwait(false)).Kind;
            _isDirectory = kind == FileKind.Directory;
            _keptFile = _isDirectory ? null : _path;
        }
        catch (FileSystemException e) when (e.Fault == IoFault.NotFound && !_path.EndsWith('/'))
        {
            // The file is made, and removed at the end. Its directory must be there.
            string parent = _path[..(_path.LastIndexOf('/') + 1)];
            await _volume.GetDetailsAsync(parent).ConfigureAwait(false);
        }
    }

    /// <summary>Without a directory the first file has the name that was given, others a number after it.</summary>
    private string PathOf(string name) =>
        _isDirectory ? $"{_path.TrimEnd('/')}/{name}" : name.EndsWith(".0", StringComparison.Ordinal) ? _path : _path + name[name.LastIndexOf('.')..];
}

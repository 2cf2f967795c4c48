using System.Globalization;
using Penstock.Uring;

namespace Penstock.Stress.Targets;

/// <summary>A directory of a mounted file system.</summary>
internal sealed class HostFolder : StressFolder
{
    private readonly string _path;

    /// <exception cref="FileSystemException">It is no directory.</exception>
    public HostFolder(string path)
    {
        Name = path;
        _path = Path.GetFullPath(path);
        Errno error = HostFile.GetStatus(_path, out FileStatus status);
        if (error != Errno.None)
        {
            throw HostErrors.Unreachable(path, error);
        }

        if (!status.IsDirectory)
        {
            throw new FileSystemException(
                IoFault.NotADirectory, $"{path}: not a directory; name a folder of a mounted file system, or VOLUME:/PATH");
        }
    }

    public override string Name { get; }

    public override string Description => $"{FormatName} at {_path}";

    /// <summary>Rounded up: what is aligned to a page is aligned to the blocks of most.</summary>
    public override int BlockSize => 4096;

    public override long FreeBytes
    {
        get
        {
            try
            {
                return new DriveInfo(_path).TotalFreeSpace;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                return long.MaxValue;
            }
        }
    }

    public override string FilePrefix => string.Create(CultureInfo.InvariantCulture, $"penstock-{Environment.ProcessId}-");

    public override string QueueDescription => "io_uring";

    /// <summary>
    /// XFS answers EIO, and logs a collision with buffered writes, where such a read meets what it has reserved behind the end (seen on Linux 6.18).
    /// </summary>
    public override bool ReadsDirectPastEnd => FormatName != "xfs";

    private string FormatName
    {
        get
        {
            try
            {
                return new DriveInfo(_path).DriveFormat;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                return "unknown file system";
            }
        }
    }

    public override StressFile Open(string name, bool isNew) => new HostStressFile(name, Path.Combine(_path, name), isNew);

    public override void Delete(string name)
    {
        try
        {
            File.Delete(Path.Combine(_path, name));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The target may be gone, and its files with it.
        }
    }

    public override TransferQueue CreateQueue(int depth)
    {
        try
        {
            return new RingTransferQueue(depth);
        }
        catch (RingUnavailableException e)
        {
            throw new FileSystemException(IoFault.NotSupported, e.Message, e);
        }
    }

    public override int GetDirectAlignment(StressFile file) => ((HostStressFile)file).DirectAlignment;

    protected override void Dispose(bool isDisposing)
    {
    }
}

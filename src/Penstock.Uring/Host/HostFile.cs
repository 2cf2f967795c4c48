using System.Runtime.InteropServices;

namespace Penstock.Uring;

/// <summary>
/// An open file or block device of the host. Errors are returned, never thrown; a call that a signal interrupted is made again.
/// All members may be called from any thread.
/// </summary>
internal sealed unsafe partial class HostFile : SafeHandle
{
    private const int CurrentDirectory = -100;
    private const int EmptyPath = 0x1000;
    private const uint StatxBasic = 0x7FF;
    private const uint StatxDirectAlignment = 0x2000;
    private const int RetryLimit = 1000;

    private HostFile(int fd)
        : base(-1, ownsHandle: true) => SetHandle(fd);

    public override bool IsInvalid => handle < 0;

    /// <summary>The descriptor, for a ring's file table. The caller keeps this object alive and open as long as the number is in use.</summary>
    public int Descriptor => (int)handle;

    /// <summary>Opens <paramref name="path"/>, always close-on-exec; null with the error if it fails.</summary>
    /// <param name="path">The path, without a zero byte.</param>
    /// <param name="flags">How to open it.</param>
    /// <param name="error">The error, or <see cref="Errno.None"/>.</param>
    /// <param name="mode">The permissions of a file that is created, before the umask.</param>
    public static HostFile? Open(string path, HostOpenFlags flags, out Errno error, uint mode = 0x1B6)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            error = Errno.EINVAL;
            return null;
        }

        CallResult result;
        do
        {
            result = CallResult.FromLibrary(LibC.Open(path, OpenFlagNumbers.Translate(flags), mode));
        }
        while (result.Error == Errno.EINTR);

        error = result.Error;
        return result.IsError ? null : new HostFile((int)result.Value);
    }

    /// <summary>The status of the file that <paramref name="path"/> names, symbolic links followed.</summary>
    public static Errno GetStatus(string path, out FileStatus status)
    {
        StatxBuffer buffer = default;
        CallResult result = CallResult.FromLibrary(LibC.Statx(CurrentDirectory, path, 0, StatxBasic | StatxDirectAlignment, &buffer));
        status = result.IsError ? default : new FileStatus(buffer);
        return result.Error;
    }

    /// <summary>The status of this file, with the alignment of direct I/O where the kernel tells it.</summary>
    public Errno GetStatus(out FileStatus status)
    {
        StatxBuffer buffer = default;
        bool isHeld = false;
        try
        {
            DangerousAddRef(ref isHeld);
            CallResult result = CallResult.FromLibrary(
                LibC.Statx(Descriptor, string.Empty, EmptyPath, StatxBasic | StatxDirectAlignment, &buffer));
            status = result.IsError ? default : new FileStatus(buffer);
            return result.Error;
        }
        finally
        {
            if (isHeld)
            {
                DangerousRelease();
            }
        }
    }

    /// <summary>preadv2(2): reads into up to 1,024 stretches of memory. The count may be short; 0 is the end.</summary>
    public CallResult Read(ReadOnlySpan<IoVector> vectors, long offset, TransferFlags flags = TransferFlags.None)
    {
        fixed (IoVector* first = vectors)
        {
            CallResult result;
            do
            {
                result = CallResult.FromLibrary(LibC.Preadv2(this, first, vectors.Length, offset, (int)flags));
            }
            while (result.Error == Errno.EINTR);

            return result;
        }
    }

    /// <summary>pwritev2(2): writes up to 1,024 stretches of memory. The count may be short.</summary>
    public CallResult Write(ReadOnlySpan<IoVector> vectors, long offset, TransferFlags flags = TransferFlags.None)
    {
        fixed (IoVector* first = vectors)
        {
            CallResult result;
            do
            {
                result = CallResult.FromLibrary(LibC.Pwritev2(this, first, vectors.Length, offset, (int)flags));
            }
            while (result.Error == Errno.EINTR);

            return result;
        }
    }

    /// <summary>fallocate(2).</summary>
    public Errno ChangeRange(RangeChange change, long offset, long length)
    {
        CallResult result;
        int attempts = 0;
        do
        {
            result = CallResult.FromLibrary(LibC.Fallocate(this, (int)change, offset, length));
        }
        while (result.Error == Errno.EINTR && ++attempts < RetryLimit);

        return result.Error;
    }

    /// <summary>ftruncate(2).</summary>
    public Errno SetLength(long length)
    {
        CallResult result;
        do
        {
            result = CallResult.FromLibrary(LibC.Ftruncate(this, length));
        }
        while (result.Error == Errno.EINTR);

        return result.Error;
    }

    /// <summary>
    /// fdatasync(2). Called once, whatever it returns: after an error the kernel marks the pages clean, so that a second call
    /// would succeed without the data being anywhere.
    /// </summary>
    public Errno SyncData() => CallResult.FromLibrary(LibC.Fdatasync(this)).Error;

    protected override bool ReleaseHandle() => LibC.Close((int)handle) == 0;
}

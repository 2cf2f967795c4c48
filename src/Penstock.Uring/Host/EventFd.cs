using System.Runtime.InteropServices;

namespace Penstock.Uring;

/// <summary>A counter of the kernel on which a ring can wait: how other threads wake the one that sleeps in it.</summary>
internal sealed unsafe class EventFd : SafeHandle
{
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;

    private EventFd(int fd)
        : base(-1, ownsHandle: true) => SetHandle(fd);

    public override bool IsInvalid => handle < 0;

    /// <summary>The descriptor; the caller keeps this object alive and open as long as the number is in use.</summary>
    public int Descriptor => (int)handle;

    /// <summary>Makes one with the count 0; null with the error if the process has no descriptor left.</summary>
    /// <param name="isBlocking">Whether a read of the count 0 waits: what a read through a ring needs, or it would fail at once.</param>
    /// <param name="error">The error, or <see cref="Errno.None"/>.</param>
    public static EventFd? Create(bool isBlocking, out Errno error)
    {
        CallResult result = CallResult.FromLibrary(LibC.EventFd(0, CloseOnExec | (isBlocking ? 0 : NonBlocking)));
        error = result.Error;
        return result.IsError ? null : new EventFd((int)result.Value);
    }

    /// <summary>Adds 1 to the count, which wakes whoever waits. Any thread.</summary>
    /// <exception cref="ObjectDisposedException">The descriptor is closed; it is never mistaken for another that has its number.</exception>
    public Errno Signal()
    {
        ulong one = 1;
        CallResult result;
        do
        {
            result = CallResult.FromLibrary(LibC.Write(this, &one, sizeof(ulong)));
        }
        while (result.Error == Errno.EINTR);

        return result.Error;
    }

    /// <summary>Takes the count and sets it to 0; EAGAIN where it is 0 and the descriptor does not block.</summary>
    public Errno Take(out ulong count)
    {
        ulong value = 0;
        CallResult result;
        do
        {
            result = CallResult.FromLibrary(LibC.Read(this, &value, sizeof(ulong)));
        }
        while (result.Error == Errno.EINTR);

        count = value;
        return result.Error;
    }

    protected override bool ReleaseHandle() => LibC.Close((int)handle) == 0;
}

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Transport;

/// <summary>
/// Reads requests from /dev/fuse and hands them on, for one thread. The kernel wants room for the largest request at each read, and most are small: so a
/// small buffer comes first, which a small request keeps, and a large one behind it, which stays unless a request reaches into it.
/// </summary>
internal sealed unsafe class RequestReader(SafeFileHandle device, WireBufferPool buffers, int largestRequest) : IDisposable
{
    /// <summary>Bytes of a request that lie in the small buffer.</summary>
    private const int SmallLength = WireBuffer.WriteHead + WireBufferPool.CopyLimit;

    private WireBuffer? _small;
    private WireBuffer? _large;

    /// <summary>Reads one request and dispatches it.</summary>
    /// <returns>0, or a positive errno: ENODEV at the end, EAGAIN where there is none and the device does not wait.</returns>
    public int ReadOne(DeviceTransport transport, IFuseRequestSink sink)
    {
        _small ??= buffers.Rent(WireBufferPool.CopyLimit);
        _large ??= buffers.Rent(largestRequest);
        IoVector* vectors = stackalloc IoVector[2];
        vectors[0] = new IoVector { Base = _small.Start, Length = SmallLength };
        vectors[1] = new IoVector { Base = _large.Payload + WireBufferPool.CopyLimit, Length = (nuint)(_large.PayloadCapacity - WireBufferPool.CopyLimit) };
        nint length = LinuxCalls.ReadV(device, vectors, 2);
        if (length < 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        FuseRequest request = sink.RentRequest();
        request.Receive(transport, TakeBuffer((int)length), (int)length);
        sink.Dispatch(request);
        return 0;
    }

    /// <summary>Whether an error only means that there was nothing to read: a signal, or a request that was interrupted before it could be read.</summary>
    public static bool IsPassing(int error) => error == Errno.EINTR.Value || error == Errno.ENOENT.Value;

    public void Dispose()
    {
        ReturnTo(ref _small);
        ReturnTo(ref _large);
    }

    private WireBuffer TakeBuffer(int length)
    {
        WireBuffer taken;
        if (length <= SmallLength)
        {
            (taken, _small) = (_small!, null);
        }
        else
        {
            (taken, _large) = (_large!, null);
            Buffer.MemoryCopy(_small!.Start, taken.Start, taken.Capacity, SmallLength);
        }

        return taken;
    }

    private void ReturnTo(ref WireBuffer? buffer)
    {
        if (buffer is not null)
        {
            buffers.Return(buffer);
            buffer = null;
        }
    }
}

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Transport;

/// <summary>
/// Requests and replies over /dev/fuse. A few threads block in read(2), each with a large buffer of its own: these are the only
/// threads that wait for the kernel. A request runs on its reader until it first awaits; the reply is written by whoever completes it.
/// </summary>
internal sealed unsafe class DeviceTransport : FuseTransport
{
    private readonly SafeFileHandle _device;
    private readonly WireBufferPool _buffers;
    private readonly int _largestRequest;
    private readonly int _readers;
    private IFuseRequestSink? _sink;
    private int _running;
    private int _isWidened;
    private int _end = (int)FuseEnd.Unmounted;

    /// <param name="device">An open /dev/fuse on which a mount was made; closed with this.</param>
    /// <param name="buffers">Where requests are received.</param>
    /// <param name="maxWrite">The largest payload of a request.</param>
    /// <param name="readers">Threads that read.</param>
    public DeviceTransport(SafeFileHandle device, WireBufferPool buffers, int maxWrite, int readers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(readers, 1);
        _device = device;
        _buffers = buffers;
        _largestRequest = maxWrite;
        _readers = readers;
    }

    public override void Start(IFuseRequestSink sink)
    {
        _sink = sink;
        StartReader(0);
    }

    public override void Widen()
    {
        if (Interlocked.Exchange(ref _isWidened, 1) != 0)
        {
            return;
        }

        for (int i = 1; i < _readers; i++)
        {
            StartReader(i);
        }
    }

    public override void Reply(FuseRequest request, int error)
    {
        byte* header = request.SealReply(error, out int headLength, out byte* payload, out int payloadLength);
        IoVector* vectors = stackalloc IoVector[2];
        vectors[0] = new IoVector { Base = header, Length = (nuint)headLength };
        vectors[1] = new IoVector { Base = payload, Length = (nuint)payloadLength };

        // An error here has nobody to go to: the caller was killed (ENOENT), or the mount is gone (ENODEV).
        while (LinuxCalls.WriteV(_device, vectors, payloadLength > 0 ? 2 : 1) < 0 && LastError() == Errno.EINTR.Value)
        {
        }
    }

    public override int Notify(ReadOnlySpan<byte> message)
    {
        fixed (byte* start = message)
        {
            var vector = new IoVector { Base = start, Length = (nuint)message.Length };
            while (LinuxCalls.WriteV(_device, &vector, 1) < 0)
            {
                int error = LastError();
                if (error != Errno.EINTR.Value)
                {
                    return error;
                }
            }
        }

        return 0;
    }

    public override void Dispose() => _device.Dispose();

    private void StartReader(int index)
    {
        Interlocked.Increment(ref _running);
        new Thread(ReadRequests) { IsBackground = true, Name = $"penstock-fuse-{index}" }.Start();
    }

    private void ReadRequests()
    {
        WireBuffer? buffer = null;
        while (true)
        {
            _buffers.WaitForRoom();
            buffer ??= _buffers.Rent(_largestRequest);
            nint length = LinuxCalls.Read(_device, buffer.Start, (nuint)buffer.Capacity);
            if (length >= 0)
            {
                buffer = Deliver(buffer, (int)length);
                continue;
            }

            int error = LastError();

            // ENOENT: the request was interrupted before it could be read.
            if (error != Errno.EINTR.Value && error != Errno.ENOENT.Value && error != Errno.EAGAIN.Value)
            {
                _buffers.Return(buffer);
                ReaderEnded(error);
                return;
            }
        }
    }

    /// <summary>Hands the request on; returns the buffer when it can be read into again.</summary>
    private WireBuffer? Deliver(WireBuffer buffer, int length)
    {
        FuseRequest request = _sink!.RentRequest();
        if (length > WireBuffer.WriteHead + WireBufferPool.CopyLimit)
        {
            request.Receive(this, buffer, length);
            _sink.Dispatch(request);
            return null;
        }

        WireBuffer small = _buffers.Rent(Math.Max(0, length - WireBuffer.WriteHead));
        Buffer.MemoryCopy(buffer.Start, small.Start, small.Capacity, length);
        request.Receive(this, small, length);
        _sink.Dispatch(request);
        return buffer;
    }

    private void ReaderEnded(int error)
    {
        if (error != Errno.ENODEV.Value)
        {
            Volatile.Write(ref _end, (int)(error == Errno.ECONNABORTED.Value ? FuseEnd.Aborted : FuseEnd.Failed));
        }

        if (Interlocked.Decrement(ref _running) == 0)
        {
            _sink!.Ended((FuseEnd)Volatile.Read(ref _end));
        }
    }

    private static int LastError() => Marshal.GetLastPInvokeError();
}

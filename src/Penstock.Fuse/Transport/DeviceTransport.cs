using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Penstock.Devices;
using Penstock.Fuse.Protocol;
using Penstock.Fuse.Session;

namespace Penstock.Fuse.Transport;

/// <summary>
/// Requests and replies over /dev/fuse. Where the volume's device lets it, requests are read on the threads of rings of that device, so that a request
/// goes to the device and its reply to the kernel without waking another thread; else a few threads block in read(2). A request runs on its reader until
/// it first awaits; the reply is written by whoever completes it.
/// </summary>
internal sealed unsafe class DeviceTransport : FuseTransport
{
    private const int GetStatusFlags = 3;
    private const int SetStatusFlags = 4;
    private const int NonBlocking = 0x800;

    /// <summary>Each entry holds a payload of its own, so their number is bounded where there are many processors.</summary>
    private const int MostEntries = 64;
    private const int MostDepth = 32;
    private const int LeastDepth = 2;

    private readonly List<RingQueues> _rings = [];
    private readonly SafeFileHandle _device;
    private readonly WireBufferPool _buffers;
    private readonly BlockDevice? _host;
    private readonly int _largestRequest;
    private readonly int _readers;
    private IFuseRequestSink? _sink;
    private volatile bool _isHosted;
    private int _running;
    private int _isWidened;
    private int _isRefused;
    private FuseEnd _end = FuseEnd.Unmounted;

    /// <param name="device">An open /dev/fuse on which a mount was made; closed with this.</param>
    /// <param name="buffers">Where requests are received.</param>
    /// <param name="maxWrite">The largest payload of a request.</param>
    /// <param name="readers">Threads that read.</param>
    /// <param name="host">The device whose threads may read, or null.</param>
    public DeviceTransport(SafeFileHandle device, WireBufferPool buffers, int maxWrite, int readers, BlockDevice? host = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(readers, 1);
        _device = device;
        _buffers = buffers;
        _host = host;
        _largestRequest = maxWrite;
        _readers = readers;
    }

    /// <summary>The number of /dev/fuse, valid until this is disposed.</summary>
    public int Descriptor => (int)_device.DangerousGetHandle();

    public override void Start(IFuseRequestSink sink)
    {
        _sink = sink;

        // Said beforehand: INIT can have been answered, and Widen called, before the first reader is known to be seated.
        _isHosted = _host is not null;
        if (!_isHosted || !TryStartHosted(0))
        {
            _isHosted = false;
            StartThread(0);
        }
    }

    public override void Widen(FuseConnection agreed)
    {
        if (Interlocked.Exchange(ref _isWidened, 1) != 0)
        {
            return;
        }

        if (agreed.Has(FuseInitFlags.OverIoUring))
        {
            foreach (RingQueues rings in _rings)
            {
                rings.Open();
            }

            return;
        }

        StartOtherReaders();
    }

    /// <summary>
    /// The kernel refused an entry of io_uring, and goes on with /dev/fuse by itself: it was short of something, or io_uring was switched off between its offer and our answer.
    /// What it has once taken up it does not switch off.
    /// </summary>
    public void RingRefused()
    {
        if (Interlocked.Exchange(ref _isRefused, 1) == 0)
        {
            StartOtherReaders();
        }
    }

    private void StartOtherReaders()
    {
        for (int i = 1; i < _readers; i++)
        {
            if (!_isHosted)
            {
                StartThread(i);
            }
            else if (!TryStartHosted(i))
            {
                // There was one ring, but no more: the first reader does it alone.
                break;
            }
        }
    }

    /// <summary>As many loops as there are readers share the kernel's queues.</summary>
    public override bool TryPrepareRings(int maxWrite)
    {
        if (!_isHosted || _rings.Count > 0)
        {
            return false;
        }

        int queues = RingQueues.CountQueues();
        int loops = Math.Min(_readers, queues);
        int depth = Math.Clamp(MostEntries / queues, LeastDepth, MostDepth);
        for (int i = 0; i < loops; i++)
        {
            IEnumerable<int> own = Enumerable.Range(0, queues).Where(queue => queue % loops == i);
            var rings = new RingQueues(this, _sink!, own, depth, maxWrite);
            Interlocked.Increment(ref _running);
            if (!_host!.TryHost(rings, $"penstock-fuse-r{i}"))
            {
                Interlocked.Decrement(ref _running);
                rings.Dispose();
                _rings.ForEach(static other => other.Abandon());
                return false;
            }

            _rings.Add(rings);
        }

        return true;
    }

    /// <summary>Reads one request through a reader and dispatches it.</summary>
    public int ReadOne(RequestReader reader) => reader.ReadOne(this, _sink!);

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

    /// <summary>A loop of io_uring is done: the mount is gone, or the kernel does not want it and goes on with /dev/fuse.</summary>
    public void RingEnded() => OneEnded();

    public override void Dispose()
    {
        foreach (RingQueues rings in _rings)
        {
            rings.Dispose();
        }

        _device.Dispose();
    }

    /// <summary>A reader is done, with the errno that ended it.</summary>
    public void ReaderEnded(RequestReader reader, int error)
    {
        reader.Dispose();
        if (error != Errno.ENODEV.Value)
        {
            _end = error == Errno.ECONNABORTED.Value ? FuseEnd.Aborted : FuseEnd.Failed;
        }

        OneEnded();
    }

    private void OneEnded()
    {
        if (Interlocked.Decrement(ref _running) == 0)
        {
            _sink!.Ended(_end);
        }
    }

    private bool TryStartHosted(int index)
    {
        // Before the first read, and taken back where there is no ring: threads of our own wait inside the read.
        int flags = LinuxCalls.FileControl(Descriptor, GetStatusFlags, 0);
        _ = LinuxCalls.FileControl(Descriptor, SetStatusFlags, flags | NonBlocking);
        Interlocked.Increment(ref _running);
        var reader = new RequestReader(_device, _buffers, _largestRequest);
        if (_host!.TryHost(new HostedReader(this, reader, _buffers), $"penstock-fuse-{index}"))
        {
            return true;
        }

        Interlocked.Decrement(ref _running);
        if (index == 0)
        {
            _ = LinuxCalls.FileControl(Descriptor, SetStatusFlags, flags);
        }

        return false;
    }

    private void StartThread(int index)
    {
        Interlocked.Increment(ref _running);
        new Thread(ReadRequests) { IsBackground = true, Name = $"penstock-fuse-{index}" }.Start();
    }

    private void ReadRequests()
    {
        var reader = new RequestReader(_device, _buffers, _largestRequest);
        while (true)
        {
            _buffers.WaitForRoom();
            int error = ReadOne(reader);
            if (error != 0 && !RequestReader.IsPassing(error) && error != Errno.EAGAIN.Value)
            {
                ReaderEnded(reader, error);
                return;
            }
        }
    }

    private static int LastError() => Marshal.GetLastPInvokeError();
}

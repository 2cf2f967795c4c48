using Microsoft.Win32.SafeHandles;
using Penstock.Devices.Host;
using Penstock.Execution;
using Penstock.Memory;
using Penstock.Uring;

namespace Penstock.Devices;

/// <summary>
/// An image file or raw disk through <see cref="RandomAccess"/>, buffered by the host, on a few threads that block: where io_uring or
/// O_DIRECT is refused. Flushing is fdatasync, called by ourselves so that its error is seen.
/// </summary>
internal sealed class PortableDevice : BlockDevice
{
    private const int Threads = 4;

    private readonly HostFile _file;
    private readonly SafeFileHandle _handle;
    private readonly DeviceGeometry _geometry;
    private readonly DrainGate _gate;
    private readonly BlockingLane _lane;
    private readonly FlushLatch _latch = new();
    private readonly object _flushLatch = new();

    /// <summary>Takes over <paramref name="file"/>, which was opened without O_DIRECT. The reason says why this path is used.</summary>
    public PortableDevice(string name, Scheduler scheduler, HostFile file, DeviceGeometry geometry, string reason)
        : base(name, scheduler)
    {
        _file = file;
        _handle = new SafeFileHandle(file.Descriptor, ownsHandle: false);
        _geometry = geometry;
        _gate = new DrainGate(scheduler);
        _lane = new BlockingLane(scheduler, $"penstock-file {name}", Threads, Perform, _gate);
        Description = $"RandomAccess on up to {Threads} threads, buffered by the host ({reason})";
    }

    public override string Description { get; }

    public override long Length => _geometry.Length;

    public override int LogicalBlockSize => _geometry.LogicalBlockSize;

    public override int PhysicalBlockSize => _geometry.PhysicalBlockSize;

    public override int MemoryAlignment => _geometry.MemoryAlignment;

    public override bool IsReadOnly => _geometry.IsReadOnly;

    public override bool CanDiscard => _geometry.CanDiscard;

    public override async ValueTask DisposeAsync()
    {
        if (await _gate.CloseAsync().ConfigureAwait(false))
        {
            _lane.Stop();
            _handle.Dispose();
            _file.Unlock();
            _file.Dispose();
        }
    }

    protected override void SubmitChecked(DeviceRequest request)
    {
        if (_gate.TryEnter())
        {
            _lane.Submit(request);
        }
        else
        {
            CompleteLater(request, IoFault.BadHandle);
        }
    }

    private IoResult Perform(DeviceRequest request) => request.Operation switch
    {
        DeviceOperation.Read => Read(request),
        DeviceOperation.Write => Write(request),
        DeviceOperation.WriteThrough => WriteThrough(request),
        DeviceOperation.Flush => Flush(),
        DeviceOperation.Discard => Discard(request),
        _ => WriteZeroes(request),
    };

    private IoResult Read(DeviceRequest request)
    {
        long done = 0;
        try
        {
            foreach (IoSegment segment in request.Segments)
            {
                Span<byte> rest = segment.Bytes;
                while (!rest.IsEmpty)
                {
                    int count = RandomAccess.Read(_handle, rest, request.Offset + done);
                    if (count == 0)
                    {
                        // The file became shorter than it was when it was opened.
                        return new IoResult(done, IoFault.DeviceFailed);
                    }

                    done += count;
                    rest = rest[count..];
                }
            }

            return IoResult.Transferred(done);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new IoResult(done, FaultOf(e));
        }
    }

    private IoResult Write(DeviceRequest request)
    {
        long done = 0;
        try
        {
            foreach (IoSegment segment in request.Segments)
            {
                RandomAccess.Write(_handle, segment.Bytes, request.Offset + done);
                done += segment.Length;
            }

            return IoResult.Transferred(done);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new IoResult(done, FaultOf(e));
        }
    }

    private IoResult WriteThrough(DeviceRequest request)
    {
        IoResult written = Write(request);
        if (written.IsFailed)
        {
            return written;
        }

        IoResult flushed = Flush();
        return flushed.IsFailed ? flushed : written;
    }

    private IoResult Flush()
    {
        // One at a time: of two concurrent calls the host tells only one that a write was lost.
        lock (_flushLatch)
        {
            if (_latch.HasFailed)
            {
                return _latch.Judge(IoFault.None);
            }

            Errno error = _file.SyncData();
            return _latch.Judge(error.ToFault());
        }
    }

    private IoResult Discard(DeviceRequest request)
    {
        Errno error = (_geometry.CanDiscard, _geometry.IsBlockDevice) switch
        {
            (false, _) => Errno.None,
            (true, true) => _file.DiscardBlocks(request.Offset, request.Length),
            (true, false) => _file.ChangeRange(RangeChange.PunchHole, request.Offset, request.Length),
        };
        return error is Errno.None or Errno.EOPNOTSUPP ? IoResult.Transferred(request.Length) : IoResult.Failed(error.ToFault());
    }

    private IoResult WriteZeroes(DeviceRequest request)
    {
        Errno error = _geometry.IsBlockDevice
            ? _file.ZeroBlocks(request.Offset, request.Length)
            : _file.ChangeRange(RangeChange.PunchHole, request.Offset, request.Length);
        return error switch
        {
            Errno.None => IoResult.Transferred(request.Length),
            Errno.EOPNOTSUPP or Errno.EINVAL => WriteZeroBytes(request),
            _ => IoResult.Failed(error.ToFault()),
        };
    }

    private IoResult WriteZeroBytes(DeviceRequest request)
    {
        ReadOnlySpan<byte> zeroes = new byte[Math.Min(request.Length, 256 << 10)];
        long done = 0;
        try
        {
            while (done < request.Length)
            {
                int count = (int)Math.Min(zeroes.Length, request.Length - done);
                RandomAccess.Write(_handle, zeroes[..count], request.Offset + done);
                done += count;
            }

            return IoResult.Transferred(done);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new IoResult(done, FaultOf(e));
        }
    }

    /// <summary>On Unix the runtime keeps the error number in the exception's result; the last system error does not survive its clean-up.</summary>
    private static IoFault FaultOf(Exception exception) => exception switch
    {
        UnauthorizedAccessException => IoFault.AccessDenied,
        _ when exception.HResult is > 0 and < 4096 => ((Errno)exception.HResult).ToFault(),
        _ => IoFault.DeviceFailed,
    };
}

using System.Globalization;
using Penstock.Execution;
using Penstock.Locking;
using Penstock.Memory;

namespace Penstock.Devices;

/// <summary>
/// A device whose blocks are larger than a volume's, seen with smaller ones. What does not fit the real blocks is read, changed and
/// written back, one such change at a time and with no other write beside it.
/// </summary>
/// <remarks>
/// Only the whole of a real block can be torn by a power loss, so a change of a part of one can damage its neighbours there: a volume
/// on such a device is as safe as on a disk that emulates small sectors, no safer.
/// </remarks>
internal sealed class SubBlockDevice : ForwardingDevice
{
    private const int BounceLength = 256 << 10;
    private const long HoldsShared = 1;

    private readonly SharedLock _lock;
    private readonly DrainGate _gate;
    private readonly int _unit;

    private SubBlockDevice(BlockDevice inner, int blockSize)
        : base(inner.Name, inner)
    {
        LogicalBlockSize = blockSize;
        _unit = inner.LogicalBlockSize;
        _gate = new DrainGate(inner.Scheduler);
        _lock = new SharedLock(inner.Scheduler, LockRank.DeviceQueue, name: $"read-modify-write of {inner.Name}");
    }

    public override string Description => string.Create(
        CultureInfo.InvariantCulture, $"{Inner.Description}; {LogicalBlockSize}-byte blocks by read-modify-write");

    public override int LogicalBlockSize { get; }

    public override int MemoryAlignment => 1;

    /// <summary>The device itself where it takes blocks of <paramref name="blockSize"/> bytes (a power of two), else one that does.</summary>
    public static BlockDevice For(BlockDevice device, int blockSize) =>
        device.LogicalBlockSize <= blockSize ? device : new SubBlockDevice(device, blockSize);

    public override async ValueTask DisposeAsync()
    {
        if (await _gate.CloseAsync().ConfigureAwait(false))
        {
            await Inner.DisposeAsync().ConfigureAwait(false);
        }
    }

    protected override void SubmitChecked(DeviceRequest request)
    {
        if (!_gate.TryEnter())
        {
            CompleteLater(request, IoFault.BadHandle);
        }
        else if (request.Operation == DeviceOperation.Flush || (request.Operation == DeviceOperation.Read && IsWhole(request)))
        {
            Forward(request, shift: 0);
        }
        else if (request.Operation == DeviceOperation.Discard && !IsWhole(request))
        {
            // Nothing is promised of a discard; whoever wants small ranges gone writes zeros.
            Scheduler.Post(static state => ((SubBlockDevice)((DeviceRequest)state!).Device!).Succeed((DeviceRequest)state), request);
        }
        else
        {
            Scheduler.Start(() => IsWhole(request) ? WriteWholeAsync(request) : TransferPartsAsync(request));
        }
    }

    protected override void InnerCompleted(DeviceRequest request, IoResult result)
    {
        if (request.Progress == HoldsShared)
        {
            _lock.ReleaseSharedByCompletion();
        }

        Complete(request, result);
    }

    private static long ChunkEnd(long position, int unit) => (position + BounceLength) & ~(unit - 1L);

    private bool IsWhole(DeviceRequest request)
    {
        if (((request.Offset | request.Length) & (_unit - 1)) != 0)
        {
            return false;
        }

        foreach (IoSegment segment in request.Segments)
        {
            if ((segment.Address & (Inner.MemoryAlignment - 1)) != 0 || (segment.Length & (_unit - 1)) != 0)
            {
                return false;
            }
        }

        return true;
    }

    private async Task WriteWholeAsync(DeviceRequest request)
    {
        await _lock.AcquireSharedAsync().ConfigureAwait(false);
        _lock.DisownShared();
        request.Progress = HoldsShared;
        Forward(request, shift: 0);
    }

    private async Task TransferPartsAsync(DeviceRequest request)
    {
        await _lock.AcquireExclusiveAsync().ConfigureAwait(false);
        IoResult result;
        using (var bounce = new AlignedBuffer(BounceLength, Math.Max(4096, Inner.MemoryAlignment)))
        {
            result = await TransferChunksAsync(request, bounce).ConfigureAwait(false);
        }

        _lock.ReleaseExclusive();
        Complete(request, result);
    }

    private async ValueTask<IoResult> TransferChunksAsync(DeviceRequest request, AlignedBuffer bounce)
    {
        long end = request.Offset + request.Length;
        long position = request.Offset;
        while (position < end)
        {
            long next = Math.Min(end, ChunkEnd(position & ~(_unit - 1L), _unit));
            IoFault fault = await TransferChunkAsync(request, bounce, position, (int)(next - position)).ConfigureAwait(false);
            if (fault != IoFault.None)
            {
                return new IoResult(position - request.Offset, fault);
            }

            position = next;
        }

        return IoResult.Transferred(request.Length);
    }

    private async ValueTask<IoFault> TransferChunkAsync(DeviceRequest request, AlignedBuffer bounce, long position, int length)
    {
        long start = position & ~(_unit - 1L);
        IoSegment covering = bounce.Segment.Slice(0, (int)(((position + length + _unit - 1) & ~(_unit - 1L)) - start));
        IoSegment wanted = covering.Slice((int)(position - start), length);
        if (request.Operation == DeviceOperation.Read || wanted != covering)
        {
            IoResult read = await Inner.ReadAsync(start, covering).ConfigureAwait(false);
            if (read.IsFailed)
            {
                return read.Fault;
            }
        }

        if (request.IsTransfer)
        {
            // The request's memory may be a user's, and touching that may wait.
            await Scheduler.SwitchToUserPlace();
            Copy(request, position - request.Offset, wanted);
            await Scheduler.Yield();
        }
        else
        {
            wanted.Bytes.Clear();
        }

        if (request.Operation == DeviceOperation.Read)
        {
            return IoFault.None;
        }

        bool isThrough = request.Operation == DeviceOperation.WriteThrough;
        return (await Inner.WriteAsync(start, covering, isThrough).ConfigureAwait(false)).Fault;
    }

    /// <summary>Copies between the request's memory from <paramref name="start"/> on and <paramref name="piece"/>.</summary>
    private static void Copy(DeviceRequest request, long start, IoSegment piece)
    {
        Span<byte> rest = piece.Bytes;
        foreach (IoSegment segment in request.Segments)
        {
            if (start >= segment.Length)
            {
                start -= segment.Length;
                continue;
            }

            int count = Math.Min(rest.Length, segment.Length - (int)start);
            Span<byte> memory = segment.Bytes.Slice((int)start, count);
            if (request.Operation == DeviceOperation.Read)
            {
                rest[..count].CopyTo(memory);
            }
            else
            {
                memory.CopyTo(rest);
            }

            rest = rest[count..];
            start = 0;
        }
    }

    private void Succeed(DeviceRequest request) => Complete(request, IoResult.Transferred(request.Length));

    private void Complete(DeviceRequest request, IoResult result)
    {
        request.Complete(result);
        _gate.Exit();
    }
}

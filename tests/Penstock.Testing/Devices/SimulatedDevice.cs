using Penstock.Devices;
using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Testing.Devices;

/// <summary>
/// A device in memory that does what a test tells it: it records every operation, fails or shortens those that a rule chooses, holds
/// others back until they are released, in whatever order, and knows what would survive a power loss. Deterministic under a
/// <see cref="Execution.ManualScheduler"/>; usable under any scheduler.
/// </summary>
/// <remarks>
/// Data moves at completion, so memory that is changed while the device owns it shows. By default each operation completes as
/// soon as the scheduler runs it; with <see cref="Latency"/> set, after that time.
/// </remarks>
internal sealed class SimulatedDevice : BlockDevice
{
    private readonly object _latch = new();
    private readonly List<SimulatedOperation> _operations = [];
    private readonly List<UnflushedWrite> _unflushed = [];
    private readonly SparseBytes _content;
    private readonly SparseBytes _stable;
    private int _submitted;
    private int _completed;
    private int _inFlight;
    private bool _isDisposed;
    private bool _isFlushBroken;
    private PooledCompletion<bool>? _drained;

    public SimulatedDevice(Scheduler scheduler, long length, int logicalBlockSize = 512, int memoryAlignment = 512, string name = "simulated")
        : this(scheduler, length, logicalBlockSize, memoryAlignment, name, new SparseBytes())
    {
    }

    private SimulatedDevice(
        Scheduler scheduler, long length, int logicalBlockSize, int memoryAlignment, string name, SparseBytes content)
        : base(name, scheduler)
    {
        Length = length;
        LogicalBlockSize = logicalBlockSize;
        MemoryAlignment = memoryAlignment;
        _content = content;
        _stable = content.Clone();
    }

    public override string Description => "simulated";

    public override long Length { get; }

    public override int LogicalBlockSize { get; }

    public override int PhysicalBlockSize => LogicalBlockSize;

    public override int MemoryAlignment { get; }

    public override bool IsReadOnly => MakeReadOnly;

    public override bool CanDiscard => true;

    /// <summary>Makes the device refuse writes.</summary>
    public bool MakeReadOnly { get; set; }

    /// <summary>
    /// Decides how an operation ends, asked when it completes: null for success; a fault stops it after <c>Bytes</c> bytes were transferred.
    /// </summary>
    public Func<SimulatedOperation, IoResult?>? FaultRule { get; set; }

    /// <summary>Decides whether an operation is held back until it is released, asked when it is submitted.</summary>
    public Func<SimulatedOperation, bool>? HoldRule { get; set; }

    /// <summary>How long an operation takes, by the scheduler's clock; null for "as soon as it is run".</summary>
    public Func<SimulatedOperation, TimeSpan>? Latency { get; set; }

    /// <summary>Every operation so far, in the order of submission.</summary>
    public IReadOnlyList<SimulatedOperation> Operations
    {
        get
        {
            lock (_latch)
            {
                return [.. _operations];
            }
        }
    }

    /// <summary>The operations that are held back.</summary>
    public IReadOnlyList<SimulatedOperation> Held
    {
        get
        {
            lock (_latch)
            {
                return [.. _operations.Where(o => o.IsHeld)];
            }
        }
    }

    /// <summary>How many operations are in flight.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>How many operations of a kind there were.</summary>
    public int Count(DeviceOperation operation) => Operations.Count(o => o.Operation == operation);

    /// <summary>Forgets the record of completed operations.</summary>
    public void ClearRecord()
    {
        lock (_latch)
        {
            _operations.RemoveAll(o => !o.IsInFlight);
        }
    }

    /// <summary>The next operation of the kind fails, having transferred <paramref name="bytes"/> bytes; those after it do not.</summary>
    public void FailNext(DeviceOperation operation, IoFault fault, long bytes = 0)
    {
        Func<SimulatedOperation, IoResult?>? outer = FaultRule;
        bool isSpent = false;
        FaultRule = candidate =>
        {
            if (!isSpent && candidate.Operation == operation)
            {
                isSpent = true;
                return new IoResult(bytes, fault);
            }

            return outer?.Invoke(candidate);
        };
    }

    /// <summary>Lets an operation that is held back complete.</summary>
    public void Release(SimulatedOperation operation)
    {
        lock (_latch)
        {
            if (!operation.IsHeld)
            {
                throw new InvalidOperationException($"{operation} is not held back.");
            }

            operation.IsHeld = false;
        }

        Schedule(operation);
    }

    /// <summary>Holds nothing back any more, and lets everything complete that was, in the order of submission.</summary>
    public void ReleaseAll()
    {
        HoldRule = null;
        foreach (SimulatedOperation operation in Held)
        {
            Release(operation);
        }
    }

    /// <summary>Reads the content behind the device's back.</summary>
    public byte[] Peek(long offset, int length)
    {
        var bytes = new byte[length];
        lock (_latch)
        {
            _content.Read(offset, bytes);
        }

        return bytes;
    }

    /// <summary>Changes the content behind the device's back, durably.</summary>
    public void Poke(long offset, ReadOnlySpan<byte> bytes)
    {
        lock (_latch)
        {
            _content.Write(offset, bytes);
            _stable.Write(offset, bytes);
        }
    }

    /// <summary>
    /// The device as it would be after a power loss now: what was flushed, and of what was written since (or is in flight), sector by
    /// sector, whatever <paramref name="survives"/> says; null: nothing.
    /// </summary>
    public SimulatedDevice AfterPowerLoss(Scheduler scheduler, Func<long, bool>? survives = null)
    {
        lock (_latch)
        {
            SparseBytes content = _stable.Clone();
            foreach (UnflushedWrite write in _unflushed)
            {
                Survive(content, write, survives);
            }

            foreach (SimulatedOperation operation in _operations)
            {
                if (operation.IsInFlight && operation.IsWrite)
                {
                    Transfer(operation.Request!, operation.Length, (offset, piece) =>
                        Survive(content, new UnflushedWrite(offset, piece.Length, piece.ToArray(), int.MaxValue, IsStable: false), survives));
                }
            }

            return new SimulatedDevice(scheduler, Length, LogicalBlockSize, MemoryAlignment, Name, content);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        PooledCompletion<bool>? drained = null;
        lock (_latch)
        {
            _isDisposed = true;
            if (_inFlight > 0)
            {
                drained = _drained = PooledCompletion<bool>.Rent(Scheduler);
            }
        }

        if (drained is not null)
        {
            await drained.Task;
        }
    }

    protected override void SubmitChecked(DeviceRequest request)
    {
        SimulatedOperation operation;
        lock (_latch)
        {
            if (_isDisposed)
            {
                CompleteLater(request, IoFault.BadHandle);
                return;
            }

            _inFlight++;
            operation = new SimulatedOperation(_submitted++, request) { CompletedBefore = _completed };
            _operations.Add(operation);
            operation.IsHeld = HoldRule?.Invoke(operation) ?? false;
            if (operation.IsHeld)
            {
                return;
            }
        }

        Schedule(operation);
    }

    private void Schedule(SimulatedOperation operation)
    {
        if (Latency?.Invoke(operation) is { } latency && latency > TimeSpan.Zero)
        {
            Scheduler.CreateAlarm(_ => Finish(operation), null).Set(latency);
        }
        else
        {
            Scheduler.Post(_ => Finish(operation), null);
        }
    }

    private void Finish(SimulatedOperation operation)
    {
        DeviceRequest request = operation.Request!;
        IoResult result;
        PooledCompletion<bool>? drained = null;
        lock (_latch)
        {
            result = FaultRule?.Invoke(operation) ?? IoResult.Transferred(operation.Operation == DeviceOperation.Flush ? 0 : operation.Length);
            result = Perform(operation, request, result);
            operation.Result = result;
            operation.Request = null;
            _completed++;
            if (--_inFlight == 0)
            {
                (drained, _drained) = (_drained, null);
            }
        }

        request.Complete(result);
        drained?.Complete(true);
    }

    /// <summary>Latch held. Moves the bytes that <paramref name="result"/> says were transferred.</summary>
    private IoResult Perform(SimulatedOperation operation, DeviceRequest request, IoResult result)
    {
        switch (request.Operation)
        {
            case DeviceOperation.Read:
                Transfer(request, result.Bytes, (offset, piece) => _content.Read(offset, piece));
                return result;
            case DeviceOperation.Write:
            case DeviceOperation.WriteThrough:
                bool isThrough = request.Operation == DeviceOperation.WriteThrough && !result.IsFailed;
                Transfer(request, result.Bytes, (offset, piece) => Store(offset, piece, isThrough));
                return result;
            case DeviceOperation.Flush:
                return Flush(operation, result);
            default:
                _content.Clear(request.Offset, result.Bytes);
                _unflushed.Add(new UnflushedWrite(request.Offset, result.Bytes, Bytes: null, _completed, IsStable: false));
                return result;
        }
    }

    private void Store(long offset, ReadOnlySpan<byte> bytes, bool isThrough)
    {
        _content.Write(offset, bytes);
        _unflushed.Add(new UnflushedWrite(offset, bytes.Length, bytes.ToArray(), _completed, isThrough));
    }

    /// <summary>Keeps what had completed before the flush was submitted, and not a write more: nobody may rely on more.</summary>
    private IoResult Flush(SimulatedOperation operation, IoResult result)
    {
        _isFlushBroken |= result.IsFailed;
        if (_isFlushBroken)
        {
            return IoResult.Failed(result.IsFailed ? result.Fault : IoFault.DeviceFailed);
        }

        int covered = 0;
        while (covered < _unflushed.Count && _unflushed[covered].Sequence < operation.CompletedBefore)
        {
            _unflushed[covered++].ApplyTo(_stable);
        }

        _unflushed.RemoveRange(0, covered);
        return result;
    }

    private void Survive(SparseBytes content, UnflushedWrite write, Func<long, bool>? survives)
    {
        if (write.IsStable)
        {
            write.ApplyTo(content);
            return;
        }

        for (long i = 0; survives is not null && i < write.Length; i += LogicalBlockSize)
        {
            if (survives(write.Offset + i))
            {
                write.Slice(i, Math.Min(LogicalBlockSize, write.Length - i)).ApplyTo(content);
            }
        }
    }

    private delegate void PieceTransfer(long offset, Span<byte> piece);

    private static void Transfer(DeviceRequest request, long bytes, PieceTransfer transfer)
    {
        long offset = request.Offset;
        foreach (IoSegment segment in request.Segments)
        {
            int length = (int)Math.Min(segment.Length, bytes);
            transfer(offset, segment.Bytes[..length]);
            offset += length;
            bytes -= length;
        }
    }

    /// <summary>A write that has completed but was not flushed; without bytes, one of zeros. Sequence: how many operations had completed before it.</summary>
    private readonly record struct UnflushedWrite(long Offset, long Length, byte[]? Bytes, int Sequence, bool IsStable)
    {
        public UnflushedWrite Slice(long start, long length) => this with
        {
            Offset = Offset + start,
            Length = length,
            Bytes = Bytes?.AsSpan((int)start, (int)length).ToArray(),
        };

        public void ApplyTo(SparseBytes content)
        {
            if (Bytes is null)
            {
                content.Clear(Offset, Length);
            }
            else
            {
                content.Write(Offset, Bytes);
            }
        }
    }
}

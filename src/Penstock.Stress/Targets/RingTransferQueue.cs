using System.Buffers;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Penstock.Uring;

namespace Penstock.Stress.Targets;

/// <summary>An io_uring of the calling thread.</summary>
internal sealed unsafe class RingTransferQueue : TransferQueue
{
    private const int MaxPieces = 64;

    private readonly Ring _ring;
    private readonly MemoryHandle[][] _pins;
    private readonly int[] _pinCounts;
    private readonly IoVector* _vectors;
    private readonly Queue<(int Slot, IoResult Result)> _refused = new();
    private int _inFlight;

    /// <exception cref="RingUnavailableException">There is no ring to be had.</exception>
    public RingTransferQueue(int depth)
    {
        _ring = Ring.Create(new RingOptions((uint)depth));
        Errno error = _ring.Start();
        if (error != Errno.None)
        {
            _ring.Dispose();
            throw RingUnavailableException.ForSetup(error);
        }

        _pins = new MemoryHandle[depth][];
        _pinCounts = new int[depth];
        _vectors = (IoVector*)NativeMemory.AllocZeroed((nuint)(depth * MaxPieces * sizeof(IoVector)));
        for (int i = 0; i < depth; i++)
        {
            _pins[i] = new MemoryHandle[MaxPieces];
        }
    }

    public override void Add(int slot, in Transfer transfer)
    {
        if (((HostStressFile)transfer.File).Get(transfer.Modes, out Errno error) is not { } file)
        {
            _refused.Enqueue((slot, IoResult.Failed(error.ToFileFault())));
            return;
        }

        if (!_ring.TryTake(out Submission submission))
        {
            Submit();
            bool isTaken = _ring.TryTake(out submission);
            Debug.Assert(isTaken, "A ring that was just submitted has room.");
        }

        int count = Pin(slot, transfer.Memory);
        IoVector* first = _vectors + (slot * MaxPieces);
        TransferFlags flags = transfer.IsWrite && transfer.Modes.HasFlag(TransferModes.DataSync) ? TransferFlags.DataSync : TransferFlags.None;
        switch (transfer.IsWrite, count)
        {
            case (false, 1):
                submission.PrepareRead(file.Descriptor, first->Address, (int)first->Length, transfer.Offset, (ulong)slot);
                break;
            case (true, 1):
                submission.PrepareWrite(file.Descriptor, first->Address, (int)first->Length, transfer.Offset, (ulong)slot, flags);
                break;
            case (false, _):
                submission.PrepareReadVectored(file.Descriptor, first, count, transfer.Offset, (ulong)slot);
                break;
            default:
                submission.PrepareWriteVectored(file.Descriptor, first, count, transfer.Offset, (ulong)slot, flags);
                break;
        }

        _inFlight++;
    }

    public override void Submit()
    {
        while (_ring.PreparedCount > 0)
        {
            Require(_ring.Submit());
        }
    }

    public override int Take(out IoResult result)
    {
        if (_refused.TryDequeue(out (int Slot, IoResult Result) refused))
        {
            result = refused.Result;
            return refused.Slot;
        }

        Debug.Assert(_inFlight > 0, "Something is awaited that was submitted.");
        Completion completion;
        while (!_ring.TryReap(out completion))
        {
            Require(_ring.SubmitAndWait(1));
        }

        _inFlight--;
        int slot = (int)completion.UserData;
        Unpin(slot);
        result = completion.Result.ToResult();
        return slot;
    }

    protected override void Dispose(bool isDisposing)
    {
        while (_inFlight > 0)
        {
            Take(out _);
        }

        _ring.Dispose();
        NativeMemory.Free(_vectors);
    }

    private static void Require(CallResult result)
    {
        // Memory or completions short: the next turn, after reaping, goes on.
        if (result.IsError && result.Error is not (Errno.EINTR or Errno.EAGAIN or Errno.EBUSY))
        {
            throw new FileSystemException(IoFault.DeviceFailed, $"the io_uring failed ({result.Error})");
        }
    }

    private int Pin(int slot, IReadOnlyList<Memory<byte>> memory)
    {
        for (int i = 0; i < memory.Count; i++)
        {
            _pins[slot][i] = memory[i].Pin();
            _vectors[(slot * MaxPieces) + i] = new IoVector((nint)_pins[slot][i].Pointer, memory[i].Length);
        }

        return _pinCounts[slot] = memory.Count;
    }

    private void Unpin(int slot)
    {
        for (int i = 0; i < _pinCounts[slot]; i++)
        {
            _pins[slot][i].Dispose();
        }
    }
}

using Penstock.Memory;
using Penstock.Uring;

namespace Penstock.Devices.Rings;

/// <summary>
/// Prepares the next step of a request: what is left of it after <see cref="DeviceRequest.Progress"/>, as much as one submission carries.
/// </summary>
internal sealed unsafe class TransferStep(int logicalBlockSize, RegisteredBuffers registered) : IDisposable
{
    /// <summary>The kernel takes no more vectors than this in one call (UIO_MAXIOV).</summary>
    private const int MaxVectors = 1024;

    /// <summary>Below the kernel's own limit of 2 GiB less a page, and a multiple of every block size.</summary>
    private const int MaxBytes = 1 << 30;

    private const int ZeroLength = 256 << 10;
    private const int FileSlot = 0;

    private AlignedBuffer? _zeroes;

    public int LogicalBlockSize => logicalBlockSize;

    /// <summary>Fills an entry for what is left of the slot's request.</summary>
    public void Prepare(Submission submission, ref RingSlots.Slot slot, ulong userData)
    {
        DeviceRequest request = slot.Request!;
        switch (request.Operation)
        {
            case DeviceOperation.Flush:
                submission.PrepareDataSync(FileSlot, userData);
                break;
            case DeviceOperation.Discard:
                submission.PrepareRangeChange(FileSlot, RangeChange.PunchHole, request.Offset, request.Length, userData);
                break;
            case DeviceOperation.WriteZeroes when slot.WritesZeroes:
                PrepareZeroes(submission, ref slot, request, userData);
                break;
            case DeviceOperation.WriteZeroes:
                // A hole reads as zeros like a zeroed range does, and keeps a sparse image sparse.
                submission.PrepareRangeChange(FileSlot, RangeChange.PunchHole, request.Offset, request.Length, userData);
                break;
            default:
                PrepareTransfer(submission, ref slot, request, userData);
                break;
        }

        submission.AddFlags(SubmissionFlags.FixedFile);
    }

    public void Dispose() => ((IDisposable?)_zeroes)?.Dispose();

    private void PrepareZeroes(Submission submission, ref RingSlots.Slot slot, DeviceRequest request, ulong userData)
    {
        _zeroes ??= new AlignedBuffer(ZeroLength, Math.Max(4096, logicalBlockSize));
        slot.Expected = (int)Math.Min(ZeroLength, request.Length - request.Progress);
        submission.PrepareWrite(FileSlot, _zeroes.Segment.Address, slot.Expected, request.Offset + request.Progress, userData);
    }

    private void PrepareTransfer(Submission submission, ref RingSlots.Slot slot, DeviceRequest request, ulong userData)
    {
        ReadOnlySpan<IoSegment> segments = request.Segments;
        long start = request.Progress;
        int index = 0;
        while (start >= segments[index].Length)
        {
            start -= segments[index++].Length;
        }

        IoSegment first = segments[index].Slice((int)start, Math.Min(segments[index].Length - (int)start, MaxBytes));
        if (index == segments.Length - 1 || first.Length == MaxBytes)
        {
            slot.Expected = first.Length;
            PrepareSingle(submission, request, first, userData);
        }
        else
        {
            int count = FillVectors(ref slot, segments[index..], first);
            PrepareVectored(submission, request, slot.Vectors, count, userData);
        }
    }

    private static int FillVectors(ref RingSlots.Slot slot, ReadOnlySpan<IoSegment> segments, IoSegment first)
    {
        int count = Math.Min(segments.Length, MaxVectors);
        slot.EnsureVectors(count);
        slot.Vectors[0] = new IoVector(first.Address, first.Length);
        slot.Expected = first.Length;
        for (int i = 1; i < count; i++)
        {
            if (slot.Expected + (long)segments[i].Length > MaxBytes)
            {
                return i;
            }

            slot.Vectors[i] = new IoVector(segments[i].Address, segments[i].Length);
            slot.Expected += segments[i].Length;
        }

        return count;
    }

    private void PrepareSingle(Submission submission, DeviceRequest request, IoSegment segment, ulong userData)
    {
        long offset = request.Offset + request.Progress;
        int buffer = registered.Find(segment);
        TransferFlags flags = FlagsOf(request);
        switch (request.Operation == DeviceOperation.Read, buffer >= 0)
        {
            case (true, true):
                submission.PrepareReadFixed(FileSlot, segment.Address, segment.Length, offset, buffer, userData);
                break;
            case (true, false):
                submission.PrepareRead(FileSlot, segment.Address, segment.Length, offset, userData);
                break;
            case (false, true):
                submission.PrepareWriteFixed(FileSlot, segment.Address, segment.Length, offset, buffer, userData, flags);
                break;
            default:
                submission.PrepareWrite(FileSlot, segment.Address, segment.Length, offset, userData, flags);
                break;
        }
    }

    private static void PrepareVectored(Submission submission, DeviceRequest request, IoVector* vectors, int count, ulong userData)
    {
        long offset = request.Offset + request.Progress;
        if (request.Operation == DeviceOperation.Read)
        {
            submission.PrepareReadVectored(FileSlot, vectors, count, offset, userData);
        }
        else
        {
            submission.PrepareWriteVectored(FileSlot, vectors, count, offset, userData, FlagsOf(request));
        }
    }

    /// <summary>What the kernel is told of a request, by whichever call.</summary>
    public static TransferFlags FlagsOf(DeviceRequest request) =>
        request.Operation == DeviceOperation.WriteThrough ? TransferFlags.DataSync : TransferFlags.None;
}

using System.Runtime.CompilerServices;

namespace Penstock.Uring;

/// <summary>
/// One entry of a ring's submission queue, to be filled by exactly one of its Prepare methods. Memory it names, other than vectors and
/// the like on rings with stable submission, stays where it is until the completion came.
/// </summary>
internal readonly unsafe ref struct Submission(SubmissionEntry* entry, int commandLength)
{
    private const uint PollMulti = 1;
    private const uint DataSyncOnly = 1;
    private const uint CancelAll = 1;
    private const uint CancelAny = 4;

    /// <summary>The raw entry.</summary>
    public ref SubmissionEntry Entry => ref *entry;

    /// <summary>Where a command's payload lies: 16 bytes, or 80 in a wide entry.</summary>
    public Span<byte> CommandPayload => new(&entry->Address3, commandLength);

    public void PrepareNop(ulong userData) => Prepare(RingOperation.Nop, -1, 0, 0, 0, userData);

    public void PrepareRead(int file, nint address, int length, long offset, ulong userData) =>
        Prepare(RingOperation.Read, file, (ulong)offset, (ulong)address, (uint)length, userData);

    public void PrepareWrite(int file, nint address, int length, long offset, ulong userData, TransferFlags flags = TransferFlags.None)
    {
        Prepare(RingOperation.Write, file, (ulong)offset, (ulong)address, (uint)length, userData);
        entry->OperationFlags = (uint)flags;
    }

    /// <summary>A read into a part of the registered buffer <paramref name="buffer"/>.</summary>
    public void PrepareReadFixed(int file, nint address, int length, long offset, int buffer, ulong userData)
    {
        Prepare(RingOperation.ReadFixed, file, (ulong)offset, (ulong)address, (uint)length, userData);
        entry->BufferIndex = (ushort)buffer;
    }

    /// <summary>A write from a part of the registered buffer <paramref name="buffer"/>.</summary>
    public void PrepareWriteFixed(
        int file, nint address, int length, long offset, int buffer, ulong userData, TransferFlags flags = TransferFlags.None)
    {
        Prepare(RingOperation.WriteFixed, file, (ulong)offset, (ulong)address, (uint)length, userData);
        entry->OperationFlags = (uint)flags;
        entry->BufferIndex = (ushort)buffer;
    }

    /// <summary>A read into <paramref name="count"/> (at most 1,024) vectors.</summary>
    public void PrepareReadVectored(int file, IoVector* vectors, int count, long offset, ulong userData) =>
        Prepare(RingOperation.ReadVectored, file, (ulong)offset, (ulong)vectors, (uint)count, userData);

    /// <summary>A write from <paramref name="count"/> (at most 1,024) vectors.</summary>
    public void PrepareWriteVectored(
        int file, IoVector* vectors, int count, long offset, ulong userData, TransferFlags flags = TransferFlags.None)
    {
        Prepare(RingOperation.WriteVectored, file, (ulong)offset, (ulong)vectors, (uint)count, userData);
        entry->OperationFlags = (uint)flags;
    }

    /// <summary>fdatasync.</summary>
    public void PrepareDataSync(int file, ulong userData)
    {
        Prepare(RingOperation.Fsync, file, 0, 0, 0, userData);
        entry->OperationFlags = DataSyncOnly;
    }

    /// <summary>fallocate.</summary>
    public void PrepareRangeChange(int file, RangeChange change, long offset, long length, ulong userData) =>
        Prepare(RingOperation.Fallocate, file, (ulong)offset, (ulong)length, (uint)change, userData);

    /// <summary>Waits until <paramref name="events"/> (POLLIN is 1) are ready; with <paramref name="isMulti"/>, again and again.</summary>
    public void PreparePoll(int file, uint events, bool isMulti, ulong userData)
    {
        Prepare(RingOperation.PollAdd, file, 0, 0, isMulti ? PollMulti : 0, userData);
        entry->OperationFlags = BitConverter.IsLittleEndian ? events : BitOperationsWordSwap(events);
    }

    /// <summary>Cancels the submission with <paramref name="target"/> as its user data; what it may still have done, its own completion tells.</summary>
    public void PrepareCancel(ulong target, ulong userData) => Prepare(RingOperation.AsyncCancel, -1, 0, target, 0, userData);

    /// <summary>Cancels everything in flight; the result is how many were found.</summary>
    public void PrepareCancelAll(ulong userData)
    {
        Prepare(RingOperation.AsyncCancel, -1, 0, 0, 0, userData);
        entry->OperationFlags = CancelAll | CancelAny;
    }

    /// <summary>Posts a completion with the given result and user data to another ring.</summary>
    public void PrepareMessage(int ring, int result, ulong targetUserData, ulong userData) =>
        Prepare(RingOperation.MessageRing, ring, targetUserData, 0, (uint)result, userData);

    /// <summary>A driver's own command; its payload goes into <see cref="CommandPayload"/>.</summary>
    public void PrepareCommand(int file, uint number, ulong userData)
    {
        Prepare(RingOperation.Command, file, 0, 0, 0, userData);
        entry->CommandNumber = number;
        CommandPayload.Clear();
    }

    /// <summary>Makes the file a slot of the registered table, or adds other IOSQE flags; after Prepare.</summary>
    public void AddFlags(SubmissionFlags flags) => entry->Flags |= flags;

    private static uint BitOperationsWordSwap(uint value) => (value << 16) | (value >> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Prepare(RingOperation operation, int file, ulong offset, ulong address, uint length, ulong userData)
    {
        // The slot was used before: whatever is not set here must not survive from then.
        *entry = default;
        entry->Operation = operation;
        entry->File = file;
        entry->Offset = offset;
        entry->Address = address;
        entry->Length = length;
        entry->UserData = userData;
    }
}

using System.Runtime.InteropServices;

namespace Penstock.Uring;

/// <summary>struct io_sqring_offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SubmissionOffsets
{
    public uint Head;
    public uint Tail;
    public uint RingMask;
    public uint RingEntries;
    public uint Flags;
    public uint Dropped;
    public uint Array;
    public uint Reserved1;
    public ulong Reserved2;
}

/// <summary>struct io_cqring_offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CompletionOffsets
{
    public uint Head;
    public uint Tail;
    public uint RingMask;
    public uint RingEntries;
    public uint Overflow;
    public uint Entries;
    public uint Flags;
    public uint Reserved1;
    public ulong Reserved2;
}

/// <summary>struct io_uring_params: 120 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RingParameters
{
    public uint SubmissionEntries;
    public uint CompletionEntries;
    public RingFlags Flags;
    public uint PollThreadProcessor;
    public uint PollThreadIdle;
    public RingFeatures Features;
    public uint AttachedRing;
    public uint Reserved0;
    public uint Reserved1;
    public uint Reserved2;
    public SubmissionOffsets Submission;
    public CompletionOffsets Completion;
}

/// <summary>struct io_uring_getevents_arg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WaitArgument
{
    public ulong SignalMask;
    public uint SignalMaskSize;
    public uint MinimumWait;
    public ulong Timespec;
}

/// <summary>struct io_uring_rsrc_update, as IORING_REGISTER_RING_FDS takes it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceUpdate
{
    public uint Offset;
    public uint Reserved;
    public ulong Payload;
}

/// <summary>struct io_uring_rsrc_register.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceTable
{
    public uint Count;
    public uint Flags;
    public ulong Reserved;
    public ulong Payload;
    public ulong Tags;
}

/// <summary>struct io_uring_rsrc_update2.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceRangeUpdate
{
    public uint Offset;
    public uint Reserved;
    public ulong Payload;
    public ulong Tags;
    public uint Count;
    public uint ReservedToo;
}

/// <summary>struct io_uring_cqe.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct Completion
{
    private readonly ulong _userData;
    private readonly int _result;
    private readonly uint _flags;

    /// <summary>user_data of the submission.</summary>
    public ulong UserData => _userData;

    /// <summary>res: a count, or an error.</summary>
    public CallResult Result => new(_result);

    /// <summary>IORING_CQE_F_*.</summary>
    public uint Flags => _flags;

    /// <summary>IORING_CQE_F_MORE: the same submission will complete again.</summary>
    public bool HasMore => (_flags & 2) != 0;
}

/// <summary>struct io_uring_sqe: the first 64 bytes, which are all unless the ring has wide entries.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct SubmissionEntry
{
    /// <summary>opcode.</summary>
    [FieldOffset(0)]
    public RingOperation Operation;

    /// <summary>flags: IOSQE_*.</summary>
    [FieldOffset(1)]
    public SubmissionFlags Flags;

    /// <summary>ioprio.</summary>
    [FieldOffset(2)]
    public ushort Priority;

    /// <summary>fd, or the slot of a registered file.</summary>
    [FieldOffset(4)]
    public int File;

    /// <summary>off, addr2.</summary>
    [FieldOffset(8)]
    public ulong Offset;

    /// <summary>cmd_op, of a driver's command.</summary>
    [FieldOffset(8)]
    public uint CommandNumber;

    /// <summary>addr.</summary>
    [FieldOffset(16)]
    public ulong Address;

    /// <summary>len.</summary>
    [FieldOffset(24)]
    public uint Length;

    /// <summary>rw_flags, fsync_flags, poll32_events, cancel_flags, msg_ring_flags, uring_cmd_flags.</summary>
    [FieldOffset(28)]
    public uint OperationFlags;

    /// <summary>user_data.</summary>
    [FieldOffset(32)]
    public ulong UserData;

    /// <summary>buf_index.</summary>
    [FieldOffset(40)]
    public ushort BufferIndex;

    /// <summary>personality.</summary>
    [FieldOffset(42)]
    public ushort Personality;

    /// <summary>splice_fd_in, file_index.</summary>
    [FieldOffset(44)]
    public uint FileIndex;

    /// <summary>addr3; where a command's payload begins (cmd), 16 bytes here and 80 in a wide entry.</summary>
    [FieldOffset(48)]
    public ulong Address3;
}

/// <summary>IORING_OP_*.</summary>
internal enum RingOperation : byte
{
    Nop = 0,
    ReadVectored = 1,
    WriteVectored = 2,
    Fsync = 3,
    ReadFixed = 4,
    WriteFixed = 5,
    PollAdd = 6,
    AsyncCancel = 14,
    Fallocate = 17,
    Read = 22,
    Write = 23,
    MessageRing = 40,
    Command = 46,
}

/// <summary>IOSQE_*.</summary>
[Flags]
internal enum SubmissionFlags : byte
{
    None = 0,

    /// <summary>IOSQE_FIXED_FILE: the file is a slot of the registered table.</summary>
    FixedFile = 1 << 0,

    /// <summary>IOSQE_IO_DRAIN: not before everything submitted earlier has completed.</summary>
    Drain = 1 << 1,

    /// <summary>IOSQE_IO_LINK: the next entry begins when this one has completed without an error.</summary>
    Link = 1 << 2,

    /// <summary>IOSQE_ASYNC: on a worker of the kernel from the start, never in the submission.</summary>
    Async = 1 << 4,
}

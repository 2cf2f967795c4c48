using System.Runtime.InteropServices;
using Penstock.Fuse.Protocol;
using Penstock.Uring;

namespace Penstock.Fuse.Transport;

/// <summary>
/// Where one request at a time lies that comes over io_uring, and its reply. It is the kernel's from a command to that command's completion, and the
/// request's from there to the reply.
/// </summary>
internal sealed unsafe class RingEntry(ushort queue, uint index, int payloadCapacity) : IDisposable
{
    private readonly FuseRingHeader* _header = (FuseRingHeader*)NativeMemory.AlignedAlloc((nuint)sizeof(FuseRingHeader), 64);
    private readonly Uring.IoVector* _vectors = (Uring.IoVector*)NativeMemory.Alloc(2, (nuint)sizeof(Uring.IoVector));
    private ulong _commitId;

    /// <summary>The payload, on a page.</summary>
    public WireBuffer Payload { get; } = new(payloadCapacity);

    /// <summary>Which entry of its loop it is.</summary>
    public uint Index => index;

    /// <summary>The next one in a list of replies.</summary>
    public RingEntry? Link { get; set; }

    public FuseRingHeader* Header => _header;

    /// <summary>Whether the kernel has taken the entry and given it a request.</summary>
    public bool HasServed { get; private set; }

    /// <summary>A request has arrived: keeps what its reply must say.</summary>
    public void Arrived()
    {
        HasServed = true;
        _commitId = _header->CommitId;
    }

    public void PrepareRegister(Submission submission, int device, ulong userData)
    {
        *_header = default;
        _vectors[0] = new Uring.IoVector((nint)_header, sizeof(FuseRingHeader));
        _vectors[1] = new Uring.IoVector((nint)Payload.Payload, Payload.PayloadCapacity);
        submission.PrepareCommand(device, (uint)FuseRingCommand.Register, userData);
        submission.Entry.Address = (ulong)_vectors;
        submission.Entry.Length = 2;
        MemoryMarshal.Write(submission.CommandPayload, new FuseRingCommandRequest { Queue = queue });
    }

    public void PrepareCommit(Submission submission, int device, ulong userData)
    {
        submission.PrepareCommand(device, (uint)FuseRingCommand.CommitAndFetch, userData);
        MemoryMarshal.Write(submission.CommandPayload, new FuseRingCommandRequest { CommitId = _commitId, Queue = queue });
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_header);
        NativeMemory.Free(_vectors);
        Payload.Free();
    }
}

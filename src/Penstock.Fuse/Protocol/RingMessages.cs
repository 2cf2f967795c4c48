using System.Runtime.InteropServices;

namespace Penstock.Fuse.Protocol;

/// <summary>enum fuse_uring_cmd: the commands of FUSE over io_uring.</summary>
internal enum FuseRingCommand : uint
{
    /// <summary>Here is an entry: give it a request.</summary>
    Register = 1,

    /// <summary>The entry holds the reply to its request: take it, and give it the next.</summary>
    CommitAndFetch = 2,
}

/// <summary>struct fuse_uring_req_header: what of a request and of its reply is not payload.</summary>
[StructLayout(LayoutKind.Explicit, Size = 288)]
internal struct FuseRingHeader
{
    /// <summary>Bytes for the fixed arguments.</summary>
    public const int ArgumentCapacity = 128;

    /// <summary>The request's header, in whose place the reply's goes.</summary>
    [FieldOffset(0)] public FuseInHeader In;
    [FieldOffset(0)] public FuseOutHeader Out;

    /// <summary>The fixed arguments of a request, 128 bytes; a reply's are in the payload.</summary>
    [FieldOffset(128)] public byte Arguments;

    /// <summary>struct fuse_uring_ent_in_out.</summary>
    [FieldOffset(256)] public ulong Flags;

    /// <summary>Names the request when its reply is committed.</summary>
    [FieldOffset(264)] public ulong CommitId;

    /// <summary>Bytes of the payload.</summary>
    [FieldOffset(272)] public uint PayloadSize;
}

/// <summary>struct fuse_uring_cmd_req: what a command carries in its submission.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseRingCommandRequest
{
    [FieldOffset(0)] public ulong Flags;
    [FieldOffset(8)] public ulong CommitId;

    /// <summary>The number of the processor whose requests are asked for.</summary>
    [FieldOffset(16)] public ushort Queue;
}

using System.Runtime.InteropServices;

namespace Penstock.Fuse.Protocol;

/// <summary>struct fuse_in_header: the start of every request.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal struct FuseInHeader
{
    [FieldOffset(0)] public uint Length;
    [FieldOffset(4)] public FuseOpcode Opcode;
    [FieldOffset(8)] public ulong Unique;
    [FieldOffset(16)] public ulong NodeId;
    [FieldOffset(24)] public uint Uid;
    [FieldOffset(28)] public uint Gid;
    [FieldOffset(32)] public uint Pid;

    /// <summary>Length of the extensions at the end of the request, in units of 8 bytes (since 7.38).</summary>
    [FieldOffset(36)] public ushort TotalExtensionLength;
}

/// <summary>struct fuse_out_header: the start of every reply and notification.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseOutHeader
{
    [FieldOffset(0)] public uint Length;

    /// <summary>Minus an errno; in a notification (<see cref="Unique"/> is 0) its <see cref="FuseNotifyCode"/>.</summary>
    [FieldOffset(4)] public int Error;
    [FieldOffset(8)] public ulong Unique;
}

/// <summary>struct fuse_ext_header: one extension of a request that creates a file.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseExtensionHeader
{
    /// <summary>FUSE_EXT_GROUPS: a count of 32 bits and that many group ids.</summary>
    public const uint Groups = 32;

    /// <summary>Bytes of the extension, this header included.</summary>
    [FieldOffset(0)] public uint Size;
    [FieldOffset(4)] public uint Type;
}

using System.Runtime.InteropServices;

namespace Penstock.Fuse.Protocol;

/// <summary>The open(2) flags that reach a server, by their numbers on the architectures .NET runs on.</summary>
[Flags]
internal enum LinuxOpenFlags : uint
{
    ReadOnly = 0,
    WriteOnly = 1,
    ReadWrite = 2,
    AccessMode = 3,
    Create = 0x40,
    Exclusive = 0x80,
    Truncate = 0x200,
    Append = 0x400,
    NonBlock = 0x800,
    DataSync = 0x1000,

    /// <summary>The bit that O_SYNC has beyond O_DSYNC.</summary>
    SyncBit = 0x100000,
    NoAccessTime = 0x40000,
}

/// <summary>O_DIRECT differs between x86-64 and arm64, and the wire carries the kernel's own number.</summary>
internal static class LinuxOpenFlagsOfThisMachine
{
    public static readonly LinuxOpenFlags Direct =
        (LinuxOpenFlags)(RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x10000u : 0x4000u);
}

/// <summary>struct fuse_open_in: also of OPENDIR.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseOpenIn
{
    /// <summary>FUSE_OPEN_KILL_SUIDGID.</summary>
    public const uint KillSuidGid = 1;

    [FieldOffset(0)] public LinuxOpenFlags Flags;
    [FieldOffset(4)] public uint OpenFlags;
}

/// <summary>struct fuse_create_in, followed by the name; also of TMPFILE.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseCreateIn
{
    [FieldOffset(0)] public LinuxOpenFlags Flags;
    [FieldOffset(4)] public uint Mode;
    [FieldOffset(8)] public uint Umask;
    [FieldOffset(12)] public uint OpenFlags;
}

/// <summary>What the reply to OPEN asks of the kernel (FOPEN_*).</summary>
[Flags]
internal enum FuseOpenReply : uint
{
    None = 0,
    DirectIo = 1 << 0,
    KeepCache = 1 << 1,
    NonSeekable = 1 << 2,
    CacheDirectory = 1 << 3,
    Stream = 1 << 4,

    /// <summary>No FLUSH request at close(2).</summary>
    NoFlush = 1 << 5,
    ParallelDirectWrites = 1 << 6,
}

/// <summary>struct fuse_open_out.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseOpenOut
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public FuseOpenReply OpenFlags;
    [FieldOffset(12)] public int BackingId;
}

/// <summary>The reply to CREATE and TMPFILE: an entry, then an open file.</summary>
[StructLayout(LayoutKind.Explicit, Size = 144)]
internal struct FuseCreateOut
{
    [FieldOffset(0)] public FuseEntryOut Entry;
    [FieldOffset(128)] public FuseOpenOut Open;
}

/// <summary>struct fuse_release_in: also of RELEASEDIR.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseReleaseIn
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public LinuxOpenFlags Flags;
    [FieldOffset(12)] public uint ReleaseFlags;
    [FieldOffset(16)] public ulong LockOwner;
}

/// <summary>struct fuse_flush_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseFlushIn
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(16)] public ulong LockOwner;
}

/// <summary>struct fuse_read_in: also of READDIR and READDIRPLUS.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal struct FuseReadIn
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public uint Size;
    [FieldOffset(20)] public uint ReadFlags;
    [FieldOffset(24)] public ulong LockOwner;

    /// <summary>The flags of the open file at the time of the request.</summary>
    [FieldOffset(32)] public LinuxOpenFlags Flags;
}

/// <summary>FUSE_WRITE_*.</summary>
[Flags]
internal enum FuseWriteFlags : uint
{
    None = 0,

    /// <summary>Written back from the kernel's page cache; the handle is a guess.</summary>
    Cache = 1 << 0,
    LockOwner = 1 << 1,
    KillSuidGid = 1 << 2,
}

/// <summary>struct fuse_write_in, followed by the bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal struct FuseWriteIn
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public uint Size;
    [FieldOffset(20)] public FuseWriteFlags WriteFlags;
    [FieldOffset(24)] public ulong LockOwner;

    /// <summary>The flags of the open file at the time of the request, and O_DSYNC or O_SYNC where the single call asked for it.</summary>
    [FieldOffset(32)] public LinuxOpenFlags Flags;
}

/// <summary>struct fuse_write_out: also of COPY_FILE_RANGE.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseWriteOut
{
    [FieldOffset(0)] public uint Size;
}

/// <summary>struct fuse_fsync_in: also of FSYNCDIR.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseFSyncIn
{
    /// <summary>FUSE_FSYNC_FDATASYNC.</summary>
    public const uint DataOnly = 1;

    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public uint Flags;
}

/// <summary>The modes of fallocate(2).</summary>
[Flags]
internal enum LinuxAllocateMode : uint
{
    None = 0,
    KeepSize = 0x01,
    PunchHole = 0x02,
    CollapseRange = 0x08,
    ZeroRange = 0x10,
    InsertRange = 0x20,
    UnshareRange = 0x40,
}

/// <summary>struct fuse_fallocate_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct FuseFAllocateIn
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public ulong Length;
    [FieldOffset(24)] public LinuxAllocateMode Mode;
}

/// <summary>struct fuse_lseek_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseLSeekIn
{
    /// <summary>SEEK_DATA.</summary>
    public const uint Data = 3;

    /// <summary>SEEK_HOLE.</summary>
    public const uint Hole = 4;

    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public uint Whence;
}

/// <summary>struct fuse_lseek_out.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseLSeekOut
{
    [FieldOffset(0)] public ulong Offset;
}

/// <summary>struct fuse_copy_file_range_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 56)]
internal struct FuseCopyFileRangeIn
{
    [FieldOffset(0)] public ulong HandleIn;
    [FieldOffset(8)] public ulong OffsetIn;
    [FieldOffset(16)] public ulong NodeIdOut;
    [FieldOffset(24)] public ulong HandleOut;
    [FieldOffset(32)] public ulong OffsetOut;
    [FieldOffset(40)] public ulong Length;
    [FieldOffset(48)] public ulong Flags;
}

/// <summary>struct fuse_copy_file_range_out, the reply to COPY_FILE_RANGE_64 (since 7.45).</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseCopyFileRangeOut
{
    [FieldOffset(0)] public ulong BytesCopied;
}

/// <summary>struct fuse_ioctl_in, followed by the bytes of the argument that go in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct FuseIoCtlIn
{
    [FieldOffset(0)] public ulong Handle;
    [FieldOffset(8)] public uint Flags;
    [FieldOffset(12)] public uint Command;
    [FieldOffset(16)] public ulong Argument;
    [FieldOffset(24)] public uint InSize;
    [FieldOffset(28)] public uint OutSize;
}

/// <summary>struct fuse_ioctl_out, followed by the bytes of the argument that come out.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseIoCtlOut
{
    [FieldOffset(0)] public int Result;
    [FieldOffset(4)] public uint Flags;
    [FieldOffset(8)] public uint InVectors;
    [FieldOffset(12)] public uint OutVectors;
}

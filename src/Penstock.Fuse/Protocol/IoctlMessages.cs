using System.Runtime.InteropServices;

namespace Penstock.Fuse.Protocol;

/// <summary>The ioctl commands that a file system knows, by the numbers of linux/fs.h on 64-bit machines.</summary>
internal enum LinuxIoctl : uint
{
    /// <summary>FS_IOC_GETFLAGS.</summary>
    GetFlags = 0x80086601,

    /// <summary>FS_IOC_SETFLAGS.</summary>
    SetFlags = 0x40086602,

    /// <summary>FS_IOC_GETVERSION.</summary>
    GetVersion = 0x80087601,

    /// <summary>FS_IOC_GETFSLABEL.</summary>
    GetLabel = 0x81009431,

    /// <summary>FS_IOC_FSGETXATTR.</summary>
    GetExtended = 0x801c581f,

    /// <summary>FS_IOC_FSSETXATTR.</summary>
    SetExtended = 0x401c5820,

    /// <summary>FITRIM.</summary>
    Trim = 0xc0185879,
}

/// <summary>struct fsxattr.</summary>
[StructLayout(LayoutKind.Explicit, Size = 28)]
internal struct FsXAttr
{
    [FieldOffset(0)] public uint Flags;
    [FieldOffset(4)] public uint ExtentSize;
    [FieldOffset(8)] public uint Extents;
    [FieldOffset(12)] public uint ProjectId;
    [FieldOffset(16)] public uint CopyExtentSize;
}

/// <summary>struct fstrim_range.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FsTrimRange
{
    [FieldOffset(0)] public ulong Start;
    [FieldOffset(8)] public ulong Length;
    [FieldOffset(16)] public ulong MinimumLength;
}

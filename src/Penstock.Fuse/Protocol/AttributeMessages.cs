using System.Runtime.InteropServices;

namespace Penstock.Fuse.Protocol;

/// <summary>struct fuse_attr: what stat shows.</summary>
[StructLayout(LayoutKind.Explicit, Size = 88)]
internal struct FuseAttr
{
    [FieldOffset(0)] public ulong Inode;
    [FieldOffset(8)] public ulong Size;

    /// <summary>In units of 512 bytes.</summary>
    [FieldOffset(16)] public ulong Blocks;

    /// <summary>Seconds since 1970, signed although the header declares it unsigned.</summary>
    [FieldOffset(24)] public long AccessTime;
    [FieldOffset(32)] public long ModifyTime;
    [FieldOffset(40)] public long ChangeTime;
    [FieldOffset(48)] public uint AccessNanoseconds;
    [FieldOffset(52)] public uint ModifyNanoseconds;
    [FieldOffset(56)] public uint ChangeNanoseconds;
    [FieldOffset(60)] public uint Mode;
    [FieldOffset(64)] public uint Links;
    [FieldOffset(68)] public uint Uid;
    [FieldOffset(72)] public uint Gid;

    /// <summary>Major and minor in the kernel's 32-bit encoding (new_encode_dev).</summary>
    [FieldOffset(76)] public uint Device;
    [FieldOffset(80)] public uint BlockSize;
    [FieldOffset(84)] public uint Flags;
}

/// <summary>struct fuse_entry_out: a name and the inode it leads to.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct FuseEntryOut
{
    /// <summary>0 says that the name does not exist, and that this may be cached for the entry's validity.</summary>
    [FieldOffset(0)] public ulong NodeId;
    [FieldOffset(8)] public ulong Generation;
    [FieldOffset(16)] public ulong EntryValid;
    [FieldOffset(24)] public ulong AttrValid;
    [FieldOffset(32)] public uint EntryValidNanoseconds;
    [FieldOffset(36)] public uint AttrValidNanoseconds;
    [FieldOffset(40)] public FuseAttr Attr;
}

/// <summary>struct fuse_getattr_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseGetAttrIn
{
    /// <summary>FUSE_GETATTR_FH: the file handle is valid.</summary>
    public const uint HandleFlag = 1;

    [FieldOffset(0)] public uint Flags;
    [FieldOffset(8)] public ulong Handle;
}

/// <summary>struct fuse_attr_out.</summary>
[StructLayout(LayoutKind.Explicit, Size = 104)]
internal struct FuseAttrOut
{
    [FieldOffset(0)] public ulong AttrValid;
    [FieldOffset(8)] public uint AttrValidNanoseconds;
    [FieldOffset(16)] public FuseAttr Attr;
}

/// <summary>Which fields of a SETATTR apply (FATTR_*).</summary>
[Flags]
internal enum FuseSetAttrValid : uint
{
    None = 0,
    Mode = 1 << 0,
    Uid = 1 << 1,
    Gid = 1 << 2,
    Size = 1 << 3,
    AccessTime = 1 << 4,
    ModifyTime = 1 << 5,
    Handle = 1 << 6,
    AccessTimeNow = 1 << 7,
    ModifyTimeNow = 1 << 8,
    LockOwner = 1 << 9,
    ChangeTime = 1 << 10,

    /// <summary>The caller may not keep setuid and setgid through this truncate.</summary>
    KillSuidGid = 1 << 11,
}

/// <summary>struct fuse_setattr_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 88)]
internal struct FuseSetAttrIn
{
    [FieldOffset(0)] public FuseSetAttrValid Valid;
    [FieldOffset(8)] public ulong Handle;
    [FieldOffset(16)] public ulong Size;
    [FieldOffset(24)] public ulong LockOwner;
    [FieldOffset(32)] public long AccessTime;
    [FieldOffset(40)] public long ModifyTime;
    [FieldOffset(48)] public long ChangeTime;
    [FieldOffset(56)] public uint AccessNanoseconds;
    [FieldOffset(60)] public uint ModifyNanoseconds;
    [FieldOffset(64)] public uint ChangeNanoseconds;
    [FieldOffset(68)] public uint Mode;
    [FieldOffset(76)] public uint Uid;
    [FieldOffset(80)] public uint Gid;
}

/// <summary>struct fuse_statx_in (since 7.39).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseStatxIn
{
    [FieldOffset(0)] public uint GetAttrFlags;
    [FieldOffset(8)] public ulong Handle;
    [FieldOffset(16)] public uint StatxFlags;
    [FieldOffset(20)] public uint Mask;
}

/// <summary>struct fuse_sx_time.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseStatxTime
{
    [FieldOffset(0)] public long Seconds;
    [FieldOffset(8)] public uint Nanoseconds;
}

/// <summary>struct fuse_statx: laid out as struct statx of the system call.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct FuseStatx
{
    /// <summary>STATX_BASIC_STATS.</summary>
    public const uint BasicStats = 0x7ff;

    /// <summary>STATX_BTIME.</summary>
    public const uint BirthTimeMask = 0x800;

    [FieldOffset(0)] public uint Mask;
    [FieldOffset(4)] public uint BlockSize;
    [FieldOffset(8)] public ulong Attributes;
    [FieldOffset(16)] public uint Links;
    [FieldOffset(20)] public uint Uid;
    [FieldOffset(24)] public uint Gid;
    [FieldOffset(28)] public ushort Mode;
    [FieldOffset(32)] public ulong Inode;
    [FieldOffset(40)] public ulong Size;
    [FieldOffset(48)] public ulong Blocks;
    [FieldOffset(56)] public ulong AttributesMask;
    [FieldOffset(64)] public FuseStatxTime AccessTime;
    [FieldOffset(80)] public FuseStatxTime BirthTime;
    [FieldOffset(96)] public FuseStatxTime ChangeTime;
    [FieldOffset(112)] public FuseStatxTime ModifyTime;
    [FieldOffset(128)] public uint DeviceMajor;
    [FieldOffset(132)] public uint DeviceMinor;
    [FieldOffset(136)] public uint HostMajor;
    [FieldOffset(140)] public uint HostMinor;
}

/// <summary>struct fuse_statx_out.</summary>
[StructLayout(LayoutKind.Explicit, Size = 288)]
internal struct FuseStatxOut
{
    [FieldOffset(0)] public ulong AttrValid;
    [FieldOffset(8)] public uint AttrValidNanoseconds;
    [FieldOffset(12)] public uint Flags;
    [FieldOffset(32)] public FuseStatx Stat;
}

/// <summary>struct fuse_statfs_out (struct fuse_kstatfs).</summary>
[StructLayout(LayoutKind.Explicit, Size = 80)]
internal struct FuseStatFsOut
{
    [FieldOffset(0)] public ulong Blocks;
    [FieldOffset(8)] public ulong BlocksFree;
    [FieldOffset(16)] public ulong BlocksAvailable;
    [FieldOffset(24)] public ulong Files;
    [FieldOffset(32)] public ulong FilesFree;
    [FieldOffset(40)] public uint BlockSize;
    [FieldOffset(44)] public uint NameLength;
    [FieldOffset(48)] public uint FragmentSize;
}

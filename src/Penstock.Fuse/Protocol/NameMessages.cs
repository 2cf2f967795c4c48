using System.Runtime.InteropServices;

namespace Penstock.Fuse.Protocol;

/// <summary>struct fuse_forget_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseForgetIn
{
    [FieldOffset(0)] public ulong Lookups;
}

/// <summary>struct fuse_batch_forget_in, followed by <see cref="Count"/> times <see cref="FuseForgetOne"/>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseBatchForgetIn
{
    [FieldOffset(0)] public uint Count;
}

/// <summary>struct fuse_forget_one.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseForgetOne
{
    [FieldOffset(0)] public ulong NodeId;
    [FieldOffset(8)] public ulong Lookups;
}

/// <summary>struct fuse_mknod_in, followed by the name.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseMkNodIn
{
    [FieldOffset(0)] public uint Mode;
    [FieldOffset(4)] public uint Device;
    [FieldOffset(8)] public uint Umask;
}

/// <summary>struct fuse_mkdir_in, followed by the name.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseMkDirIn
{
    [FieldOffset(0)] public uint Mode;
    [FieldOffset(4)] public uint Umask;
}

/// <summary>struct fuse_rename_in, followed by the old and the new name.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseRenameIn
{
    [FieldOffset(0)] public ulong NewDirectory;
}

/// <summary>The flags of renameat2.</summary>
[Flags]
internal enum FuseRenameFlags : uint
{
    None = 0,
    NoReplace = 1,
    Exchange = 2,
    Whiteout = 4,
}

/// <summary>struct fuse_rename2_in, followed by the old and the new name.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseRename2In
{
    [FieldOffset(0)] public ulong NewDirectory;
    [FieldOffset(8)] public FuseRenameFlags Flags;
}

/// <summary>struct fuse_link_in, followed by the new name.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseLinkIn
{
    [FieldOffset(0)] public ulong OldNodeId;
}

/// <summary>struct fuse_access_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseAccessIn
{
    [FieldOffset(0)] public uint Mask;
}

/// <summary>struct fuse_setxattr_in with FUSE_SETXATTR_EXT, followed by the name and the value.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseSetXAttrIn
{
    /// <summary>Without FUSE_SETXATTR_EXT it ends after <see cref="Flags"/>.</summary>
    public const int SizeBeforeExtension = 8;

    /// <summary>XATTR_CREATE.</summary>
    public const uint Create = 1;

    /// <summary>XATTR_REPLACE.</summary>
    public const uint Replace = 2;

    /// <summary>FUSE_SETXATTR_ACL_KILL_SGID, in <see cref="ExtendedFlags"/>.</summary>
    public const uint AclKillSgid = 1;

    [FieldOffset(0)] public uint Size;
    [FieldOffset(4)] public uint Flags;
    [FieldOffset(8)] public uint ExtendedFlags;
}

/// <summary>struct fuse_getxattr_in: also of LISTXATTR. A size of 0 asks for the length only.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseGetXAttrIn
{
    [FieldOffset(0)] public uint Size;
}

/// <summary>struct fuse_getxattr_out: the reply to a size of 0.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseGetXAttrOut
{
    [FieldOffset(0)] public uint Size;
}

/// <summary>struct fuse_interrupt_in.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct FuseInterruptIn
{
    [FieldOffset(0)] public ulong Unique;
}

/// <summary>struct fuse_dirent, followed by the name and padding to 8 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseDirent
{
    [FieldOffset(0)] public ulong Inode;

    /// <summary>Where reading goes on after this entry.</summary>
    [FieldOffset(8)] public ulong NextOffset;
    [FieldOffset(16)] public uint NameLength;

    /// <summary>DT_*: the file type bits of the mode shifted right by 12.</summary>
    [FieldOffset(20)] public uint Type;
}

/// <summary>struct fuse_notify_inval_inode_out.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseNotifyInvalidateInode
{
    [FieldOffset(0)] public ulong Inode;

    /// <summary>A negative offset drops the attributes only.</summary>
    [FieldOffset(8)] public long Offset;

    /// <summary>0 or less means to the end.</summary>
    [FieldOffset(16)] public long Length;
}

/// <summary>struct fuse_notify_inval_entry_out, followed by the name and a zero byte.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FuseNotifyInvalidateEntry
{
    [FieldOffset(0)] public ulong Parent;
    [FieldOffset(8)] public uint NameLength;
    [FieldOffset(12)] public uint Flags;
}

/// <summary>struct fuse_notify_delete_out, followed by the name and a zero byte.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct FuseNotifyDelete
{
    [FieldOffset(0)] public ulong Parent;
    [FieldOffset(8)] public ulong Child;
    [FieldOffset(16)] public uint NameLength;
}

using System.Runtime.InteropServices;

namespace Penstock.Uring;

/// <summary>struct iovec: one stretch of memory of a vectored call.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct IoVector(nint address, nint length)
{
    /// <summary>iov_base.</summary>
    public readonly nint Address = address;

    /// <summary>iov_len.</summary>
    public readonly nint Length = length;
}

/// <summary>struct flock, in its 64-bit layout, which x86_64 and arm64 share.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct FileRegionLock
{
    /// <summary>l_type.</summary>
    [FieldOffset(0)]
    public short Type;

    /// <summary>l_whence.</summary>
    [FieldOffset(2)]
    public short Whence;

    /// <summary>l_start.</summary>
    [FieldOffset(8)]
    public long Start;

    /// <summary>l_len; 0 is to the end and beyond.</summary>
    [FieldOffset(16)]
    public long Length;

    /// <summary>l_pid; must be 0 for locks of the open file description.</summary>
    [FieldOffset(24)]
    public int ProcessId;
}

/// <summary>struct rlimit.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceLimitPair
{
    /// <summary>rlim_cur.</summary>
    public ulong Soft;

    /// <summary>rlim_max.</summary>
    public ulong Hard;
}

/// <summary>struct __kernel_timespec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KernelTimespec
{
    /// <summary>tv_sec.</summary>
    public long Seconds;

    /// <summary>tv_nsec.</summary>
    public long Nanoseconds;
}

/// <summary>struct statx: 256 bytes, the same on every architecture, unlike struct stat. Only the fields read here are named.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct StatxBuffer
{
    /// <summary>stx_mask: which of the fields the kernel filled.</summary>
    [FieldOffset(0x00)]
    public uint Mask;

    /// <summary>stx_mode.</summary>
    [FieldOffset(0x1C)]
    public ushort Mode;

    /// <summary>stx_ino.</summary>
    [FieldOffset(0x20)]
    public ulong Inode;

    /// <summary>stx_size.</summary>
    [FieldOffset(0x28)]
    public ulong Size;

    /// <summary>stx_blocks: units of 512 bytes.</summary>
    [FieldOffset(0x30)]
    public ulong Blocks;

    /// <summary>stx_rdev_major.</summary>
    [FieldOffset(0x80)]
    public uint SpecialMajor;

    /// <summary>stx_rdev_minor.</summary>
    [FieldOffset(0x84)]
    public uint SpecialMinor;

    /// <summary>stx_dev_major.</summary>
    [FieldOffset(0x88)]
    public uint DeviceMajor;

    /// <summary>stx_dev_minor.</summary>
    [FieldOffset(0x8C)]
    public uint DeviceMinor;

    /// <summary>stx_dio_mem_align: the alignment of memory for direct I/O; 0 where direct I/O is refused.</summary>
    [FieldOffset(0x98)]
    public uint DirectMemoryAlignment;

    /// <summary>stx_dio_offset_align: the alignment of offset and length for direct I/O; 0 where it is refused.</summary>
    [FieldOffset(0x9C)]
    public uint DirectOffsetAlignment;
}

namespace Penstock.Uring;

/// <summary>What statx(2) says of a file, as far as devices need it.</summary>
internal readonly record struct FileStatus
{
    private const uint StatxDirectAlignment = 0x2000;
    private const int TypeMask = 0xF000;

    internal FileStatus(in StatxBuffer buffer)
    {
        Mode = buffer.Mode;
        Inode = buffer.Inode;
        Size = (long)buffer.Size;
        AllocatedBytes = (long)buffer.Blocks * 512;
        Device = new DeviceNumber(buffer.DeviceMajor, buffer.DeviceMinor);
        SpecialDevice = new DeviceNumber(buffer.SpecialMajor, buffer.SpecialMinor);
        KnowsDirectAlignment = (buffer.Mask & StatxDirectAlignment) != 0;
        DirectMemoryAlignment = (int)buffer.DirectMemoryAlignment;
        DirectOffsetAlignment = (int)buffer.DirectOffsetAlignment;
    }

    public int Mode { get; }

    public ulong Inode { get; }

    public long Size { get; }

    public long AllocatedBytes { get; }

    /// <summary>The device that holds the file.</summary>
    public DeviceNumber Device { get; }

    /// <summary>The device that a device node stands for.</summary>
    public DeviceNumber SpecialDevice { get; }

    /// <summary>Whether the kernel (6.1 and later) told the alignment; the two values below are meaningless otherwise.</summary>
    public bool KnowsDirectAlignment { get; }

    /// <summary>The alignment of memory for direct I/O in bytes; 0 where the file refuses direct I/O.</summary>
    public int DirectMemoryAlignment { get; }

    /// <summary>The alignment of offset and length for direct I/O in bytes; 0 where the file refuses direct I/O.</summary>
    public int DirectOffsetAlignment { get; }

    public bool IsRegularFile => (Mode & TypeMask) == 0x8000;

    public bool IsBlockDevice => (Mode & TypeMask) == 0x6000;

    public bool IsDirectory => (Mode & TypeMask) == 0x4000;
}

/// <summary>The two numbers by which the kernel knows a device.</summary>
internal readonly record struct DeviceNumber(uint Major, uint Minor)
{
    public override string ToString() => $"{Major}:{Minor}";
}

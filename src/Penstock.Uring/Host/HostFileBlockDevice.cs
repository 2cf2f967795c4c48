namespace Penstock.Uring;

/// <summary>The ioctl(2) calls of block devices.</summary>
internal sealed unsafe partial class HostFile
{
    // _IO(0x12, n) is 0x1200 + n; BLKGETSIZE64 is _IOR(0x12, 114, size_t), the same on x86_64 and arm64.
    private const uint BlkRoGet = 0x125E;
    private const uint BlkSszGet = 0x1268;
    private const uint BlkPbszGet = 0x127B;
    private const uint BlkDiscard = 0x1277;
    private const uint BlkZeroOut = 0x127F;
    private const uint BlkGetSize64 = 0x80081272;

    /// <summary>BLKSSZGET: the logical block size in bytes.</summary>
    public Errno GetLogicalBlockSize(out int size) => GetNumber(BlkSszGet, out size);

    /// <summary>BLKPBSZGET: the physical block size in bytes.</summary>
    public Errno GetPhysicalBlockSize(out int size) => GetNumber(BlkPbszGet, out size);

    /// <summary>BLKGETSIZE64: the length in bytes.</summary>
    public Errno GetBlockDeviceLength(out long length)
    {
        long value = 0;
        Errno error = CallResult.FromLibrary(LibC.Ioctl(this, BlkGetSize64, &value)).Error;
        length = value;
        return error;
    }

    /// <summary>BLKROGET: whether the device takes no writes.</summary>
    public Errno GetIsReadOnly(out bool isReadOnly)
    {
        Errno error = GetNumber(BlkRoGet, out int value);
        isReadOnly = value != 0;
        return error;
    }

    /// <summary>BLKDISCARD: the range's content is no longer needed.</summary>
    public Errno DiscardBlocks(long offset, long length) => ChangeBlocks(BlkDiscard, offset, length);

    /// <summary>BLKZEROOUT: the range reads as zeros; the kernel writes zeros where the device has no quicker way.</summary>
    public Errno ZeroBlocks(long offset, long length) => ChangeBlocks(BlkZeroOut, offset, length);

    private Errno GetNumber(uint request, out int number)
    {
        int value = 0;
        Errno error = CallResult.FromLibrary(LibC.Ioctl(this, request, &value)).Error;
        number = value;
        return error;
    }

    private Errno ChangeBlocks(uint request, long offset, long length)
    {
        ulong* range = stackalloc ulong[2] { (ulong)offset, (ulong)length };
        CallResult result;
        do
        {
            result = CallResult.FromLibrary(LibC.Ioctl(this, request, range));
        }
        while (result.Error == Errno.EINTR);

        return result.Error;
    }
}

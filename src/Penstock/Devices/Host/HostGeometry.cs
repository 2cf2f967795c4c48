using Penstock.Uring;

namespace Penstock.Devices.Host;

/// <summary>Finds out the numbers of an opened file or block device, by asking the host alone.</summary>
internal static class HostGeometry
{
    private const int UsualPhysicalBlock = 4096;

    /// <summary>
    /// The geometry for direct I/O; null with the reason if the host refuses that, does not say which alignment it needs, or
    /// needs one that does not divide the file's length.
    /// </summary>
    public static DeviceGeometry? ForDirect(HostFile file, in FileStatus status, bool isReadOnly, out string reason)
    {
        DeviceGeometry geometry = ForBuffered(file, status, isReadOnly);
        int offsetAlignment = status.DirectOffsetAlignment;
        int memoryAlignment = status.DirectMemoryAlignment;
        if (!status.KnowsDirectAlignment)
        {
            // Before 6.1 only block devices tell, and there the logical block is the unit of memory too.
            if (!status.IsBlockDevice || file.GetLogicalBlockSize(out offsetAlignment) != Errno.None)
            {
                reason = "the host does not tell which alignment direct I/O needs";
                return null;
            }

            memoryAlignment = offsetAlignment;
        }

        if (!IsUsable(offsetAlignment) || !IsUsable(memoryAlignment))
        {
            reason = "the host refuses O_DIRECT on this file";
            return null;
        }

        if (geometry.Length % offsetAlignment != 0)
        {
            reason = $"the length of {geometry.Length} bytes is no multiple of the {offsetAlignment} that direct I/O needs";
            return null;
        }

        reason = string.Empty;
        return geometry with
        {
            LogicalBlockSize = offsetAlignment,
            MemoryAlignment = memoryAlignment,
            PhysicalBlockSize = Math.Max(geometry.PhysicalBlockSize, offsetAlignment),
        };
    }

    /// <summary>The geometry for I/O that the host buffers, which takes any offset.</summary>
    public static DeviceGeometry ForBuffered(HostFile file, in FileStatus status, bool isReadOnly)
    {
        long length = status.Size;
        int physical = UsualPhysicalBlock;
        bool isHardReadOnly = isReadOnly;
        if (status.IsBlockDevice)
        {
            _ = file.GetBlockDeviceLength(out length);
            if (file.GetPhysicalBlockSize(out int told) == Errno.None && IsUsable(told))
            {
                physical = told;
            }

            isHardReadOnly |= file.GetIsReadOnly(out bool deviceIsReadOnly) == Errno.None && deviceIsReadOnly;
        }

        return new DeviceGeometry
        {
            Length = length,
            LogicalBlockSize = 1,
            PhysicalBlockSize = physical,
            MemoryAlignment = 1,
            IsReadOnly = isHardReadOnly,
            CanDiscard = !isHardReadOnly && (status.IsRegularFile || KernelUse.CanDiscard(status.SpecialDevice)),
            IsBlockDevice = status.IsBlockDevice,
        };
    }

    private static bool IsUsable(int alignment) => alignment > 0 && System.Numerics.BitOperations.IsPow2(alignment);
}

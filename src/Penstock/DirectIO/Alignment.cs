using Penstock.Devices;
using Penstock.Memory;

namespace Penstock.DirectIO;

/// <summary>What a device asks of direct I/O, judged before anything else happens (Rule 2.22).</summary>
internal static class Alignment
{
    /// <summary>Whether offset, length and every segment (Rule 1.22) suit the device.</summary>
    public static bool Suits(BlockDevice device, SegmentList memory, long offset)
    {
        if ((offset & (device.LogicalBlockSize - 1)) != 0)
        {
            return false;
        }

        foreach (IoSegment segment in memory.Segments)
        {
            if ((segment.Address & (device.MemoryAlignment - 1)) != 0 || (segment.Length & (device.LogicalBlockSize - 1)) != 0)
            {
                return false;
            }
        }

        return true;
    }
}

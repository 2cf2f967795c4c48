using System.Runtime.InteropServices;
using Penstock.Execution;
using Penstock.Uring;

namespace Penstock.Devices.Host;

/// <summary>
/// Memory of the host for what devices will read into: there at once, else the thread of a ring would meet the first touch of each page as it prepares a
/// transfer; and in huge pages where those are cheap to have. Not thread-safe.
/// </summary>
/// <remarks>
/// Huge pages make a device's transfer a few pieces in place of hundreds, and copies quicker. But in a virtual machine the free memory that they are made of may
/// never have been used, and its first touch costs the host 2 ms and more for 2 MiB, against 0.3 ms and less where it has been. So they are tried, and left alone
/// for a while where they turn out dear, longer each time.
/// </remarks>
internal sealed class FreshMemory(Scheduler scheduler)
{
    /// <summary>The length and alignment of a huge page, in bytes: what is no multiple of it comes in small ones.</summary>
    public const int HugeLength = 2 << 20;

    private const long DearNanoseconds = 1_000_000;
    private const int LongestRest = 256;

    private int _rest = 4;
    private int _restLeft;

    /// <summary>Takes memory, which is given back with <see cref="Free"/>.</summary>
    /// <param name="length">In bytes, a multiple of 64 KiB.</param>
    public unsafe nint Allocate(int length)
    {
        const int alignment = 64 << 10;
        if (length % HugeLength != 0 || _restLeft > 0)
        {
            _restLeft = Math.Max(_restLeft - 1, 0);
            nint small = (nint)NativeMemory.AlignedAlloc((nuint)length, alignment);
            HostMemory.Populate(small, length);
            return small;
        }

        nint memory = (nint)NativeMemory.AlignedAlloc((nuint)length, HugeLength);
        HostMemory.PreferHugePages(memory, length);
        long start = scheduler.MonotonicNanoseconds;
        HostMemory.Populate(memory, length);
        if ((scheduler.MonotonicNanoseconds - start) / (length / HugeLength) > DearNanoseconds)
        {
            _restLeft = _rest;
            _rest = Math.Min(_rest * 2, LongestRest);
        }

        return memory;
    }

    public static unsafe void Free(nint memory) => NativeMemory.AlignedFree((void*)memory);
}

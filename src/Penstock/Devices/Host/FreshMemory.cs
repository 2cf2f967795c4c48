using System.Runtime.InteropServices;
using Penstock.Uring;

namespace Penstock.Devices.Host;

/// <summary>Memory of the host for what devices will read into.</summary>
internal static unsafe class FreshMemory
{
    /// <summary>
    /// Takes memory that is there at once, as far as the host can do that: else the thread of a ring would meet the first touch of each page as it prepares a
    /// transfer. Given back with <see cref="NativeMemory.AlignedFree"/>.
    /// </summary>
    /// <param name="length">In bytes, a multiple of <paramref name="alignment"/>.</param>
    /// <param name="alignment">A power of two, at least the size of the host's pages.</param>
    public static nint Allocate(int length, int alignment)
    {
        nint memory = (nint)NativeMemory.AlignedAlloc((nuint)length, (nuint)alignment);
        HostMemory.Populate(memory, length);
        return memory;
    }
}

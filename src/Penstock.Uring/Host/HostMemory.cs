namespace Penstock.Uring;

/// <summary>What the host is told of memory, and has done to it.</summary>
internal static unsafe class HostMemory
{
    /// <summary>MADV_HUGEPAGE.</summary>
    private const int HugePage = 14;

    /// <summary>MADV_POPULATE_WRITE (5.14).</summary>
    private const int PopulateWrite = 23;

    /// <summary>Asks for pages of the largest size that fits, such as 2 MiB, when the memory is touched. A hint.</summary>
    /// <param name="address">The first byte, at the start of such a page.</param>
    /// <param name="length">In bytes.</param>
    public static void PreferHugePages(nint address, int length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = LibC.AdviseMemory((void*)address, (nuint)length, HugePage);
        }
    }

    /// <summary>
    /// Has the host give the memory now and at once, in place of page by page when each is touched first. A hint: an older kernel does not know it.
    /// </summary>
    /// <param name="address">The first byte, at the start of a page of the host.</param>
    /// <param name="length">Whole pages, in bytes.</param>
    public static void Populate(nint address, int length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = LibC.AdviseMemory((void*)address, (nuint)length, PopulateWrite);
        }
    }

    /// <summary>
    /// Copies bytes; the areas may overlap. While it runs the thread counts as one that runs no managed code: a collection of garbage does not wait for it, even if a page of the
    /// memory has to be brought by another thread of this process, which may be about to collect.
    /// </summary>
    /// <param name="destination">The first byte to write.</param>
    /// <param name="source">The first byte to read.</param>
    /// <param name="length">How many bytes, not negative.</param>
    public static void Move(nint destination, nint source, int length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = LibC.Move(destination, source, (nuint)length);
        }
        else
        {
            Buffer.MemoryCopy((void*)source, (void*)destination, length, length);
        }
    }
}

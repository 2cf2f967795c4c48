using Penstock.Devices.Host;
using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Caching;

/// <summary>A stretch of aligned native memory that is cut into pages of one size, and may be cut anew when all of them are free.</summary>
internal sealed class PageSlab
{
    /// <summary>The length of a slab in bytes: 512 pages of 4 KiB, 32 of 64 KiB.</summary>
    public const int Length = FreshMemory.HugeLength;

    /// <summary>What fresh pages hold where that is checked.</summary>
    private const byte Junk = 0xC5;

    private readonly nint _address;

    /// <param name="cache">Whose pages they are.</param>
    /// <param name="pageSize">The bytes of a page.</param>
    /// <param name="length">The bytes of the slab.</param>
    /// <param name="memory">Memory of that length, aligned for the largest pages.</param>
    public PageSlab(PageCache cache, int pageSize, int length, nint memory)
    {
        Cache = cache;
        PageSize = pageSize;
        _address = memory;
        Pages = new CachePage[length / pageSize];
        if (Checks.IsSupported)
        {
            // What no fill and no write has put there is recognised as such.
            new IoSegment(_address, length).Bytes.Fill(Junk);
        }

        for (int i = 0; i < Pages.Length; i++)
        {
            Pages[i] = new CachePage(new IoSegment(_address + ((nint)i * pageSize), pageSize), this);
        }
    }

    public PageCache Cache { get; }

    public int PageSize { get; }

    public CachePage[] Pages { get; }

    /// <summary>How many of its pages are free. Guarded by the arena's latch.</summary>
    public int FreePages { get; set; }

    /// <summary>Whether every page is free. Guarded by the arena's latch.</summary>
    public bool IsFree => FreePages == Pages.Length;

    /// <summary>The memory, for the next slab. Every page is free, and none is in a free list.</summary>
    public nint TakeMemory() => _address;
}

using System.Runtime.InteropServices;
using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Caching;

/// <summary>A stretch of aligned native memory that is cut into pages of one size. The unit in which the arena takes memory and gives it back.</summary>
internal sealed unsafe class PageSlab
{
    /// <summary>The length of a slab in bytes: 256 pages of 4 KiB, 16 of 64 KiB.</summary>
    public const int Length = 1 << 20;

    /// <summary>What fresh pages hold where that is checked.</summary>
    private const byte Junk = 0xC5;

    private readonly nint _address;

    public PageSlab(PageCache cache, int pageSize, int length)
    {
        Cache = cache;
        PageSize = pageSize;
        _address = (nint)NativeMemory.AlignedAlloc((nuint)length, (nuint)Math.Max(pageSize, 4096));
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

    /// <summary>Gives the memory back. Every page is free, and none is in a free list.</summary>
    public void Release() => NativeMemory.AlignedFree((void*)_address);
}

using Penstock.Execution;
using Penstock.Memory;

namespace Penstock.Caching;

/// <summary>Consecutive pages of a file that a reader holds while he copies from them. Pooled; bounded, so that readers cannot pin the cache.</summary>
internal sealed class PinnedPages
{
    /// <summary>The most pages one reader holds at once.</summary>
    public const int Capacity = 64;

    private static readonly Pool<PinnedPages> s_pool = new(() => new PinnedPages());

    private readonly CachePage[] _pages = new CachePage[Capacity];

    private PinnedPages()
    {
    }

    public int Count { get; private set; }

    public static PinnedPages Rent() => s_pool.Rent();

    /// <summary>Adds a page; its pin goes over to the list.</summary>
    public void Add(CachePage page) => _pages[Count++] = page;

    /// <summary>Copies bytes into <paramref name="memory"/>, beginning <paramref name="within"/> bytes into the first page.</summary>
    public void CopyTo(SegmentList memory, long start, int within, long length)
    {
        for (int i = 0; length > 0; i++)
        {
            IoSegment page = _pages[i].Memory;
            int bytes = (int)Math.Min(page.Length - within, length);
            memory.CopyFrom(start, page.Slice(within, bytes).Bytes);
            start += bytes;
            length -= bytes;
            within = 0;
        }
    }

    /// <summary>The only page, with its pin, if there is one.</summary>
    public CachePage? TakeOnly()
    {
        if (Count == 0)
        {
            return null;
        }

        CachePage page = _pages[--Count];
        _pages[Count] = null!;
        return page;
    }

    /// <summary>Gives the pins back and keeps the list.</summary>
    public void Release()
    {
        for (int i = 0; i < Count; i++)
        {
            _pages[i].Unpin();
            _pages[i] = null!;
        }

        Count = 0;
    }

    public void Return()
    {
        Release();
        s_pool.Return(this);
    }
}

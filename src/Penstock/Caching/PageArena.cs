using Penstock.Devices.Host;

namespace Penstock.Caching;

/// <summary>
/// The memory of all cached pages of the process: slabs of native memory up to a budget, taken as they are needed, and a list of free pages for
/// each page size. Page sizes are 4 KiB, or a volume's block size where that is larger.
/// </summary>
/// <remarks>
/// Invariants: (1) the slabs together never exceed the budget; (2) a free page has no pin and no owner; (3) the arena's latch is the lowest of
/// all: nothing is called under it; (4) memory that a page has had stays mapped until the arena is abandoned, since a reader without a pin may come too
/// late (see <see cref="PageWindow"/>): a slab that is released leaves it to the next.
/// </remarks>
internal sealed class PageArena
{
    /// <summary>4 KiB to 64 KiB.</summary>
    private const int ClassCount = 5;

    /// <summary>Budgets below have slabs of half the length.</summary>
    private const long SmallBudget = 64 << 20;

    private readonly object _latch = new();
    private readonly PageCache _cache;
    private readonly FreshMemory _freshMemory;
    private readonly Stack<nint> _spareMemory = new();
    private readonly SizeClass[] _classes = new SizeClass[ClassCount];
    private readonly int _slabLength;
    private long _slabBytes;

    public PageArena(PageCache cache, long budget)
    {
        _cache = cache;
        _freshMemory = new FreshMemory(cache.Scheduler);
        Budget = budget;

        // A budget of a few pages, as tests have, is still shared between page sizes; a small one in more than a few slabs.
        _slabLength = (int)Math.Clamp(budget & -(1L << 16), 1 << 16, budget >= SmallBudget ? PageSlab.Length : PageSlab.Length / 2);
        for (int i = 0; i < ClassCount; i++)
        {
            _classes[i] = new SizeClass();
        }
    }

    /// <summary>The most bytes that slabs may take.</summary>
    public long Budget { get; }

    /// <summary>The bytes that slabs take now.</summary>
    public long SlabBytes => Volatile.Read(ref _slabBytes);

    /// <summary>A free page, from a new slab if the budget has room for one; else null.</summary>
    public CachePage? TryTake(int pageSize)
    {
        SizeClass pages = ClassOf(pageSize);
        lock (_latch)
        {
            if (pages.Free.Count == 0 && !TryAddSlab(pages, pageSize))
            {
                return null;
            }

            CachePage page = pages.Free.Pop();
            page.Slab.FreePages--;
            return page;
        }
    }

    /// <summary>Takes a page back that nobody holds any more.</summary>
    public void Return(CachePage page)
    {
        page.Reset();
        lock (_latch)
        {
            ClassOf(page.Length).Free.Push(page);
            page.Slab.FreePages++;
        }
    }

    /// <summary>
    /// The next page of this size under the clock hand; null when there is none at all. Whether it can be evicted is for its owner to say.
    /// </summary>
    public CachePage? NextCandidate(int pageSize)
    {
        SizeClass pages = ClassOf(pageSize);
        lock (_latch)
        {
            if (pages.Slabs.Count == 0)
            {
                return null;
            }

            pages.HandSlab %= pages.Slabs.Count;
            PageSlab slab = pages.Slabs[pages.HandSlab];
            CachePage page = slab.Pages[pages.HandPage++];
            if (pages.HandPage == slab.Pages.Length)
            {
                pages.HandPage = 0;
                pages.HandSlab++;
            }

            return page;
        }
    }

    /// <summary>How many pages of this size the arena has, free or not.</summary>
    public int CountPages(int pageSize)
    {
        lock (_latch)
        {
            return ClassOf(pageSize).Slabs.Count * (_slabLength / pageSize);
        }
    }

    /// <summary>A slab of another page size, to be emptied so that its memory can serve this one; null if there is none.</summary>
    public PageSlab? FindOtherSlab(int pageSize, int turn)
    {
        lock (_latch)
        {
            int total = 0;
            foreach (SizeClass other in _classes)
            {
                total += other == ClassOf(pageSize) ? 0 : other.Slabs.Count;
            }

            turn = total == 0 ? -1 : turn % total;
            foreach (SizeClass other in _classes)
            {
                if (other != ClassOf(pageSize) && turn >= 0)
                {
                    if (turn < other.Slabs.Count)
                    {
                        return other.Slabs[turn];
                    }

                    turn -= other.Slabs.Count;
                }
            }

            return null;
        }
    }

    /// <summary>Leaves a slab's memory to the next slab if every page of it is free.</summary>
    public bool TryRelease(PageSlab slab)
    {
        lock (_latch)
        {
            SizeClass pages = ClassOf(slab.PageSize);
            if (!slab.IsFree || !pages.Slabs.Remove(slab))
            {
                return false;
            }

            var kept = new Stack<CachePage>(pages.Free.Count);
            foreach (CachePage page in pages.Free)
            {
                if (page.Slab != slab)
                {
                    kept.Push(page);
                }
            }

            pages.Free = kept;
            pages.HandPage = 0;
            _slabBytes -= _slabLength;
            _spareMemory.Push(slab.TakeMemory());
            return true;
        }
    }

    /// <summary>Gives every slab's memory back, in use or not.</summary>
    public void Abandon()
    {
        lock (_latch)
        {
            foreach (SizeClass pages in _classes)
            {
                pages.Slabs.ForEach(static slab => FreshMemory.Free(slab.TakeMemory()));
                pages.Slabs.Clear();
                pages.Free.Clear();
            }

            while (_spareMemory.TryPop(out nint memory))
            {
                FreshMemory.Free(memory);
            }
        }
    }

    private SizeClass ClassOf(int pageSize) => _classes[System.Numerics.BitOperations.Log2((uint)pageSize) - 12];

    /// <summary>Latch held.</summary>
    private bool TryAddSlab(SizeClass pages, int pageSize)
    {
        if (_slabBytes + _slabLength > Math.Max(Budget, _slabLength))
        {
            return false;
        }

        _slabBytes += _slabLength;
        var slab = new PageSlab(_cache, pageSize, _slabLength, _spareMemory.TryPop(out nint spare) ? spare : _freshMemory.Allocate(_slabLength));
        pages.Slabs.Add(slab);
        slab.FreePages = slab.Pages.Length;
        for (int i = slab.Pages.Length - 1; i >= 0; i--)
        {
            pages.Free.Push(slab.Pages[i]);
        }

        return true;
    }

    private sealed class SizeClass
    {
        public List<PageSlab> Slabs { get; } = [];

        public Stack<CachePage> Free { get; set; } = new();

        public int HandSlab { get; set; }

        public int HandPage { get; set; }
    }
}

using System.Numerics;

namespace Penstock.Caching;

/// <content>Which blocks have content in the cache that the mapping does not know of yet: for seek data, seek hole and the map of extents.</content>
internal sealed partial class FilePages
{
    /// <summary>The first block from <paramref name="first"/> to <paramref name="last"/> that is dirty or on its way to the device, or -1.</summary>
    public long FindDirtyBlock(long first, long last)
    {
        lock (_latch)
        {
            for (long next = first; next <= last;)
            {
                long page = NextUnstored(next / BlocksPerPage, last / BlocksPerPage);
                if (page < 0)
                {
                    return -1;
                }

                long start = page * BlocksPerPage;
                int skip = (int)Math.Max(0, next - start);
                uint blocks = UnstoredBlocks(page) >> skip << skip;
                if (blocks != 0)
                {
                    long found = start + BitOperations.TrailingZeroCount(blocks);
                    return found <= last ? found : -1;
                }

                next = start + BlocksPerPage;
            }

            return -1;
        }
    }

    /// <summary>How many blocks from <paramref name="first"/> to <paramref name="last"/> on are dirty or on their way, without a gap.</summary>
    public long CountDirtyBlocks(long first, long last)
    {
        long next = first;
        lock (_latch)
        {
            while (next <= last && (UnstoredBlocks(next / BlocksPerPage) >> (int)(next % BlocksPerPage) & 1) != 0)
            {
                next++;
            }
        }

        return next - first;
    }

    /// <summary>Latch held.</summary>
    private long NextUnstored(long first, long last)
    {
        long dirty = _tree.FindNext(first, last, PageTag.Dirty);
        long underway = _tree.FindNext(first, last, PageTag.Writeback);
        return dirty < 0 ? underway : underway < 0 ? dirty : Math.Min(dirty, underway);
    }

    /// <summary>Latch held.</summary>
    private uint UnstoredBlocks(long index) =>
        _tree.Get(index) is not { } page ? 0 : page.IsUnderWriteback ? AllBlocks : page.DirtyBlocks;
}

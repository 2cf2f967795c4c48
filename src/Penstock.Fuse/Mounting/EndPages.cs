using Penstock.Files;
using Penstock.Fuse.Session;
using Penstock.Memory;

namespace Penstock.Fuse.Mounting;

/// <summary>
/// What a program stores through a mapping beyond the end of a file belongs to nobody, and must not become content when the file grows over it. A kernel file system
/// zeroes it in its page as the file grows; here that page is the kernel's, which writes it back later as if all of it were content. So the kernel drops the page first, while the
/// file still ends where it did: what it then writes back of the page ends there too.
/// </summary>
/// <remarks>
/// <para>While the kernel changes a size by SETATTR it sends no page, so it cannot be made to drop any. Right after our answer, before the call of the program returns, it writes back
/// what is dirty and drops every page of the file: the first write of that page is what it held before, and is zeroed between the old end and the new. If the page
/// was clean there is no such write; but then it has to be read again before anybody can store into it, which ends the waiting.</para>
/// <para>A page with the end in it can hold such bytes only if the kernel has read it from us: so most files cost nothing here.</para>
/// </remarks>
internal sealed class EndPages
{
    /// <summary>
    /// The kernel lets go of a page it has read while it waits for the answer to a write into it. Only if it has dropped the page by itself meanwhile, and begun a new one, would
    /// it keep that locked until our answer: no longer than this.
    /// </summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    private static readonly int s_pageSize = Environment.SystemPageSize;

    private readonly object _lock = new();
    private readonly Dictionary<ulong, (long Start, long End)> _grown = [];
    private int _count;

    /// <summary>The kernel reads a range that it keeps: before the data is taken.</summary>
    public void NoteRead(ulong node, Inode inode, long offset, long length)
    {
        long page = inode.Size / s_pageSize;
        if (offset + length > page * s_pageSize && offset / s_pageSize <= page)
        {
            inode.EndPageReadAbove = page;
        }

        Forget(node);
    }

    /// <summary>A request is about to make the file longer, and writes nothing between the end that it has and <paramref name="from"/>. The kernel still knows the old size.</summary>
    public static ValueTask DropBeforeGrowthAsync(FuseNotifier notifier, ulong node, Inode inode, long from)
    {
        long size = inode.Size;
        long page = size / s_pageSize;
        if (from <= size || size % s_pageSize == 0 || inode.EndPageReadAbove != page)
        {
            return default;
        }

        // First, since the kernel may read it anew as soon as it is dropped.
        inode.EndPageReadAbove = -1;
        return notifier.InvalidateInodeAsync(node, page * s_pageSize, s_pageSize, s_patience);
    }

    /// <summary>SETATTR has made the file longer, and is about to be answered.</summary>
    public void NoteGrowth(ulong node, Inode inode, long oldSize, long newSize)
    {
        long page = oldSize / s_pageSize;
        if (newSize <= oldSize || oldSize % s_pageSize == 0 || inode.EndPageReadAbove != page)
        {
            return;
        }

        inode.EndPageReadAbove = -1;
        lock (_lock)
        {
            _grown[node] = (oldSize, Math.Min(newSize, (page + 1) * s_pageSize));
            Volatile.Write(ref _count, _grown.Count);
        }
    }

    /// <summary>The kernel writes back a page of its own: zeroes what was beyond the end when it was stored.</summary>
    public void ZeroStale(ulong node, IoSegment data, long offset)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return;
        }

        (long Start, long End) grown;
        lock (_lock)
        {
            if (!_grown.TryGetValue(node, out grown) || offset >= grown.End || offset + data.Length <= grown.Start / s_pageSize * s_pageSize)
            {
                return;
            }

            _grown.Remove(node);
            Volatile.Write(ref _count, _grown.Count);
        }

        long start = Math.Max(grown.Start, offset);
        long end = Math.Min(grown.End, offset + data.Length);
        if (start < end)
        {
            data.Bytes[(int)(start - offset)..(int)(end - offset)].Clear();
        }
    }

    /// <summary>The kernel has read of the file or written to it, or has forgotten it: what it writes back from now on is content.</summary>
    public void Forget(ulong node)
    {
        if (Volatile.Read(ref _count) != 0)
        {
            lock (_lock)
            {
                _grown.Remove(node);
                Volatile.Write(ref _count, _grown.Count);
            }
        }
    }
}

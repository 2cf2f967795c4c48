using Penstock.Fuse.Session;

namespace Penstock.Fuse.Mounting;

/// <summary>
/// Which pages of directly written files the kernel may have filled, so that it can be told to drop them (Rule 2.6). Around a synchronous direct
/// write the kernel drops its pages before and afterwards; around an asynchronous one only before, and what it read ahead meanwhile would be there for
/// ever with the old content. Files that nobody writes directly are not followed: it costs them one look at a counter.
/// </summary>
/// <remarks>
/// Why nothing is missed: a read is noted before its data is taken, and a write looks after its data has arrived. So a read that took old data was noted
/// when the write looks; its page is in the kernel's cache or locked until our reply is there, and dropping waits for that lock.
/// </remarks>
internal sealed class KernelCopies
{
    /// <summary>
    /// Writes that wait for the kernel at once. The page they wait for may be locked by a request that the kernel has not sent yet because so many
    /// others are unanswered, so their number has a limit, as their time has: beyond it a write is answered first.
    /// </summary>
    private const int MostWaiting = 8;

    private readonly object _lock = new();
    private readonly Dictionary<ulong, RangeSet> _files = [];
    private int _count;
    private int _waiting;

    /// <summary>A read that the kernel keeps in its cache is about to take its data.</summary>
    public void NoteRead(ulong node, long offset, long length)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return;
        }

        lock (_lock)
        {
            if (_files.TryGetValue(node, out RangeSet? ranges))
            {
                ranges.Add(offset, offset + length);
            }
        }
    }

    /// <summary>A direct write begins: from now on the reads of the file are noted. What was read before counts as all of it.</summary>
    public void Watch(ulong node)
    {
        lock (_lock)
        {
            if (!_files.ContainsKey(node))
            {
                var ranges = new RangeSet();
                ranges.Add(0, long.MaxValue);
                _files.Add(node, ranges);
                Volatile.Write(ref _count, _files.Count);
            }
        }
    }

    /// <summary>The data of a direct write has arrived: has the kernel drop what it may have of the range, and completes when it has.</summary>
    public ValueTask DropAsync(FuseNotifier notifier, ulong node, long offset, long length)
    {
        RangeSet? ranges;
        lock (_lock)
        {
            // Another write that is having pages dropped took their ranges out: whoever needs them gone too waits behind it.
            if (!_files.TryGetValue(node, out ranges) || (!ranges.Take(ref offset, ref length) && ranges.Drops == 0))
            {
                return default;
            }

            ranges.Drops++;
        }

        return DropAsync(notifier, node, ranges, offset, length);
    }

    /// <summary>The kernel has forgotten the node, and its pages with it.</summary>
    public void Forget(ulong node)
    {
        if (Volatile.Read(ref _count) != 0)
        {
            lock (_lock)
            {
                _files.Remove(node);
                Volatile.Write(ref _count, _files.Count);
            }
        }
    }

    private async ValueTask DropAsync(FuseNotifier notifier, ulong node, RangeSet ranges, long offset, long length)
    {
        try
        {
            if (Interlocked.Increment(ref _waiting) <= MostWaiting)
            {
                await notifier.InvalidateInodeAsync(node, offset, length).ConfigureAwait(false);
            }
            else
            {
                notifier.InvalidateInode(node, offset, length);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
            lock (_lock)
            {
                ranges.Drops--;
            }
        }
    }

    /// <summary>Ranges of one file, apart from each other and in order.</summary>
    internal sealed class RangeSet
    {
        private const int MostRanges = 32;

        private readonly List<(long Start, long End)> _ranges = [];

        /// <summary>Notifications about this file that were not sent yet.</summary>
        public int Drops { get; set; }

        public IReadOnlyList<(long Start, long End)> Ranges => _ranges;

        public void Add(long start, long end)
        {
            int first = _ranges.FindIndex(r => r.End >= start);
            int index = first < 0 ? _ranges.Count : first;
            while (index < _ranges.Count && _ranges[index].Start <= end)
            {
                (start, end) = (Math.Min(start, _ranges[index].Start), Math.Max(end, _ranges[index].End));
                _ranges.RemoveAt(index);
            }

            _ranges.Insert(index, (start, end));
            if (_ranges.Count > MostRanges)
            {
                // To drop too much is no fault.
                (long, long) all = (_ranges[0].Start, _ranges[^1].End);
                _ranges.Clear();
                _ranges.Add(all);
            }
        }

        /// <summary>
        /// Takes the whole pages of a range out, and says whether anything was there. Where the set is the whole file, since nothing was known of it, all is
        /// taken, and the range becomes that: offset 0, and length 0 for everything.
        /// </summary>
        public bool Take(ref long offset, ref long length)
        {
            long page = Environment.SystemPageSize;
            long start = offset / page * page;
            long end = (offset + length + page - 1) / page * page;
            if (_ranges is [(0, long.MaxValue)])
            {
                _ranges.Clear();
                (offset, length) = (0, 0);
                return true;
            }

            List<(long Start, long End)> hit = _ranges.FindAll(r => r.Start < end && r.End > start);
            foreach ((long Start, long End) range in hit)
            {
                _ranges.Remove(range);
                if (range.Start < start)
                {
                    Add(range.Start, start);
                }

                if (range.End > end)
                {
                    Add(end, range.End);
                }
            }

            return hit.Count > 0;
        }
    }
}

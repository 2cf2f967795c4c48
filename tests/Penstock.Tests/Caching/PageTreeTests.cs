using Penstock.Caching;
using Penstock.Memory;
using Xunit;

namespace Penstock.Tests.Caching;

public sealed class PageTreeTests
{
    [Theory]
    [InlineData(1, 100)]
    [InlineData(2, 5000)]
    [InlineData(3, 1L << 40)]
    public void Agrees_with_a_sorted_dictionary(int seed, long range)
    {
        var random = new Random(seed);
        var tree = new PageTree();
        var model = new SortedDictionary<long, (CachePage Page, bool Dirty, bool Writeback)>();
        for (int step = 0; step < 4000; step++)
        {
            long index = random.Next(4) == 0 || model.Count == 0
                ? random.NextInt64(range)
                : model.Keys.ElementAt(random.Next(model.Count));
            Change(random, tree, model, index);
            Assert.Equal(model.Count, tree.Count);
            Assert.Same(model.TryGetValue(index, out var entry) ? entry.Page : null, tree.Get(index));
            long from = random.NextInt64(range);
            long last = random.NextInt64(from, range);
            Assert.Equal(First(model, from, last, _ => true), tree.FindNext(from, last, PageTag.Present));
            Assert.Equal(First(model, from, last, e => e.Dirty), tree.FindNext(from, last, PageTag.Dirty));
            Assert.Equal(First(model, from, last, e => e.Writeback), tree.FindNext(from, last, PageTag.Writeback));
        }
    }

    /// <summary>Two files share little memory, which goes from one to the other all the time: who reads without the latch sees his own page, whole, or none.</summary>
    [Fact]
    public void Readers_without_the_latch_see_their_own_pages()
    {
        const int PageLength = 256;
        const int Indexes = 200;
        PageTree[] trees = [new(), new()];
        using var memory = new AlignedBuffer(8 * PageLength);
        var free = new Queue<CachePage>(Enumerable.Range(0, 8).Select(i => new CachePage(memory.Segment.Slice(i * PageLength, PageLength), null!)));
        var cached = new Queue<(int Tree, long Index, CachePage Page)>();
        long found = 0;
        bool isOver = false;
        string? strange = null;
        Thread[] readers = [.. Enumerable.Range(0, 2).Select(tree => new Thread(() =>
        {
            byte[] read = new byte[PageLength];
            for (long index = 0; !Volatile.Read(ref isOver); index = (index + 1) % Indexes)
            {
                if (trees[tree].TryCopy(index, 0, read))
                {
                    Interlocked.Increment(ref found);
                    if (!read.All(b => b == TagOf(tree, index)))
                    {
                        Volatile.Write(ref strange, $"file {tree}, page {index}: {read[0]} to {read[^1]}");
                    }
                }
            }
        }))];
        Array.ForEach(readers, static r => r.Start());
        var random = new Random(1);
        for (int step = 0; step < 200_000 || Volatile.Read(ref found) < 100; step++)
        {
            if (free.TryDequeue(out CachePage? page))
            {
                (int tree, long index) = (random.Next(2), random.Next(Indexes));
                if (trees[tree].Get(index) is not null)
                {
                    free.Enqueue(page);
                    continue;
                }

                page.Memory.Bytes.Fill(TagOf(tree, index));
                trees[tree].Insert(index, page);
                trees[tree].Publish(index, page.Memory.Address);
                cached.Enqueue((tree, index, page));
            }
            else
            {
                (int tree, long index, CachePage taken) = cached.Dequeue();
                trees[tree].Remove(index);

                // As a page goes from hand to hand: by an atomic operation.
                taken.Pin();
                free.Enqueue(taken);
            }
        }

        Volatile.Write(ref isOver, true);
        Array.ForEach(readers, static r => r.Join());
        Assert.Null(strange);
    }

    private static byte TagOf(int tree, long index) => (byte)(1 + (tree * 100) + (index % 100));

    private static void Change(
        Random random, PageTree tree, SortedDictionary<long, (CachePage Page, bool Dirty, bool Writeback)> model, long index)
    {
        if (!model.TryGetValue(index, out var entry))
        {
            var page = new CachePage(default, null!);
            tree.Insert(index, page);
            model.Add(index, (page, false, false));
            return;
        }

        switch (random.Next(5))
        {
            case 0:
                tree.Remove(index);
                model.Remove(index);
                break;
            case 1 or 2:
                entry.Dirty = random.Next(2) == 0;
                tree.SetTag(index, PageTag.Dirty, entry.Dirty);
                model[index] = entry;
                break;
            default:
                entry.Writeback = random.Next(2) == 0;
                tree.SetTag(index, PageTag.Writeback, entry.Writeback);
                model[index] = entry;
                break;
        }
    }

    private static long First(
        SortedDictionary<long, (CachePage Page, bool Dirty, bool Writeback)> model,
        long from,
        long last,
        Func<(CachePage Page, bool Dirty, bool Writeback), bool> isWanted)
    {
        foreach ((long index, var entry) in model)
        {
            if (index >= from && index <= last && isWanted(entry))
            {
                return index;
            }
        }

        return -1;
    }
}

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

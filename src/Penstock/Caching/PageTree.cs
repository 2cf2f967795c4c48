using System.Numerics;
using Penstock.Execution;

namespace Penstock.Caching;

/// <summary>What <see cref="PageTree"/> can look for.</summary>
internal enum PageTag
{
    /// <summary>Any page.</summary>
    Present,

    /// <summary>A page with dirty blocks.</summary>
    Dirty,

    /// <summary>A page on its way to the device.</summary>
    Writeback,
}

/// <summary>
/// The pages of one file by index: a radix tree of 64-way nodes, each with a bitmap for every tag, so that the next dirty page of a large, mostly
/// clean file is found in a few steps. Guarded by the latch of its file, but for <see cref="TryCopy"/>.
/// </summary>
/// <remarks>
/// <para>Invariants: (1) a bit in a parent's bitmap is set exactly when the child has a bit set in the same bitmap; (2) no node but the root is
/// empty; (3) a tag is set only on a page that is present; (4) a leaf that is not empty has a window of its own for readers without the latch.</para>
/// <para>Such a reader may go through nodes that are being changed or serve another tree by now. He comes to some window or none, and the window knows whose it is.</para>
/// </remarks>
internal sealed class PageTree
{
    private const int Bits = 6;
    private const int Fanout = PageWindow.Length;
    private const int TagCount = 3;

    private Node? _root;

    /// <summary>The height of the root: 1 is a leaf.</summary>
    private int _height;

    public int Count { get; private set; }

    public CachePage? Get(long index)
    {
        Node? node = _root;
        if (node is null || (ulong)index >> Math.Min(63, _height * Bits) != 0)
        {
            return null;
        }

        for (int level = _height - 1; level > 0; level--)
        {
            node = (Node?)node.Slots[SlotAt(index, level)];
            if (node is null)
            {
                return null;
            }
        }

        return (CachePage?)node.Slots[SlotAt(index, 0)];
    }

    /// <summary>Any thread, without the latch: copies bytes of a page that was published; false where it has to be looked for under the latch.</summary>
    public bool TryCopy(long index, int within, Span<byte> destination)
    {
        Node? node = Volatile.Read(ref _root);
        int height = Volatile.Read(ref _height);
        if (node is null || (ulong)index >> Math.Min(63, height * Bits) != 0)
        {
            return false;
        }

        for (int level = height - 1; level > 0; level--)
        {
            node = node.Slots[SlotAt(index, level)] as Node;
            if (node is null)
            {
                return false;
            }
        }

        return node.Window is { } window && window.TryCopy(this, index, within, destination);
    }

    /// <summary>Lets readers without the latch find a page that is there.</summary>
    public void Publish(long index, nint address) => LeafOf(index).Window!.Publish(index, address);

    /// <summary>Whether readers without the latch have used a page that is there, since this was last asked.</summary>
    public bool TakeUse(long index) => LeafOf(index).Window!.TakeUse(index);

    /// <summary>Adds a page where there is none.</summary>
    public void Insert(long index, CachePage page)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        GrowToHold(index);
        Node node = _root!;
        for (int level = _height - 1; level > 0; level--)
        {
            int slot = SlotAt(index, level);
            node.Tags[(int)PageTag.Present] |= 1UL << slot;
            node = (Node)(node.Slots[slot] ??= Node.Rent());
        }

        int last = SlotAt(index, 0);
        if (node.Slots[last] is not null)
        {
            throw new InvalidOperationException($"There is a page {index} already.");
        }

        if (node.Tags[(int)PageTag.Present] == 0)
        {
            (node.Window ??= new PageWindow()).Claim(this, index - last);
        }

        node.Slots[last] = page;
        node.Tags[(int)PageTag.Present] |= 1UL << last;
        Count++;
    }

    /// <summary>Removes a page that is there, with its tags.</summary>
    public void Remove(long index)
    {
        RemoveFrom(_root!, _height - 1, index);
        Count--;
        if (Count == 0)
        {
            Node.Return(_root!);
            _root = null;
            _height = 0;
        }
    }

    /// <summary>Sets or clears a tag of a page that is there.</summary>
    public void SetTag(long index, PageTag tag, bool isSet) => SetTag(_root!, _height - 1, index, tag, isSet);

    /// <summary>The first index from <paramref name="from"/> to <paramref name="last"/> that has the tag, or -1.</summary>
    public long FindNext(long from, long last, PageTag tag)
    {
        long highest = _height == 0 ? -1 : _height * Bits >= 63 ? long.MaxValue : (1L << (_height * Bits)) - 1;
        last = Math.Min(last, highest);
        return from > last ? -1 : FindNext(_root!, _height - 1, from, last, tag);
    }

    private static int SlotAt(long index, int level) => (int)(index >> (level * Bits)) & (Fanout - 1);

    private static bool SetTag(Node node, int level, long index, PageTag tag, bool isSet)
    {
        int slot = SlotAt(index, level);
        bool isSetBelow = level == 0 ? isSet : SetTag((Node)node.Slots[slot]!, level - 1, index, tag, isSet);
        ulong bit = 1UL << slot;
        ref ulong tags = ref node.Tags[(int)tag];
        tags = isSetBelow ? tags | bit : tags & ~bit;
        return tags != 0;
    }

    private static void RemoveFrom(Node node, int level, long index)
    {
        int slot = SlotAt(index, level);
        var child = node.Slots[slot] as Node;
        if (level > 0)
        {
            RemoveFrom(child!, level - 1, index);
        }
        else
        {
            node.Window!.Withdraw(index);
        }

        for (int tag = 0; tag < TagCount; tag++)
        {
            if (child is null || child.Tags[tag] == 0)
            {
                node.Tags[tag] &= ~(1UL << slot);
            }
        }

        if (child is null || child.Tags[(int)PageTag.Present] == 0)
        {
            node.Slots[slot] = null;
            if (child is not null)
            {
                Node.Return(child);
            }
        }
    }

    private static long FindNext(Node node, int level, long from, long last, PageTag tag)
    {
        ulong candidates = node.Tags[(int)tag] & (ulong.MaxValue << SlotAt(from, level));
        long span = 1L << (level * Bits);
        long start = level == 0 ? from & -Fanout : from & -(span << Bits);
        while (candidates != 0)
        {
            int slot = BitOperations.TrailingZeroCount(candidates);
            candidates &= candidates - 1;
            long first = start + (slot * span);
            if (first > last)
            {
                return -1;
            }

            long found = level == 0 ? first : FindNext((Node)node.Slots[slot]!, level - 1, Math.Max(from, first), last, tag);
            if (found >= 0)
            {
                return found;
            }
        }

        return -1;
    }

    private Node LeafOf(long index)
    {
        Node node = _root!;
        for (int level = _height - 1; level > 0; level--)
        {
            node = (Node)node.Slots[SlotAt(index, level)]!;
        }

        return node;
    }

    private void GrowToHold(long index)
    {
        if (_root is null)
        {
            _root = Node.Rent();
            _height = 1;
        }

        while ((ulong)index >> Math.Min(63, _height * Bits) != 0)
        {
            Node root = Node.Rent();
            root.Slots[0] = _root;
            for (int tag = 0; tag < TagCount; tag++)
            {
                root.Tags[tag] = _root.Tags[tag] != 0 ? 1UL : 0;
            }

            _root = root;
            _height++;
        }
    }

    private sealed class Node
    {
        private static readonly Pool<Node> s_pool = new(() => new Node(), capacity: 1024);

        public object?[] Slots { get; } = new object?[Fanout];

        public ulong[] Tags { get; } = new ulong[TagCount];

        /// <summary>Of a leaf; what a node that was one still has serves nobody.</summary>
        public PageWindow? Window { get; set; }

        public static Node Rent() => s_pool.Rent();

        /// <summary>Returns a node that is empty.</summary>
        public static void Return(Node node)
        {
            Array.Clear(node.Slots);
            Array.Clear(node.Tags);
            node.Window?.LetGo();
            s_pool.Return(node);
        }
    }
}

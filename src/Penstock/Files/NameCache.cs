using System.Numerics;
using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>
/// Names of directories that were looked up or changed lately: the inode each leads to, or that it leads to none. Bounded: a table of sets of
/// <see cref="Ways"/> places that doubles up to <see cref="MaxPlaces"/>; beyond that the one of its set that was not used lately goes. Some 100 bytes a name.
/// </summary>
/// <remarks>
/// <para>Invariants: (1) what is found says what the blocks of the directory say: whoever asks or puts holds the directory's lock, shared at least, and whoever changes
/// a name forgets it before the change and puts it after, holding the lock exclusively; (2) a directory is known by its object's <see cref="Inode.Incarnation"/>,
/// which no other object has, so names of a directory that was removed are never found in the next one of its number; (3) nothing depends on what is not found.</para>
/// <para>A look-up takes no latch: an entry never changes, and a place is written with one store. A look-up that has the table from before a doubling sees all that was
/// put before it got the directory's lock.</para>
/// </remarks>
internal sealed class NameCache
{
    /// <summary>The most names.</summary>
    public const int MaxPlaces = 1 << 17;

    private const int Ways = 8;
    private const int FirstPlaces = 1024;

    private readonly object _latch = new();
    private Entry?[] _places = new Entry?[FirstPlaces];
    private int _count;
    private uint _hand;

    /// <summary>How many names are known, those that lead to nothing included. For tests.</summary>
    public int Count
    {
        get
        {
            lock (_latch)
            {
                return _count;
            }
        }
    }

    /// <summary>What a name leads to, none included; false if that is not known. The directory's lock is held, shared at least.</summary>
    public bool TryFind(Inode directory, ReadOnlySpan<byte> name, out InodeNumber number)
    {
        uint hash = HashOf(directory, name);
        Entry?[] places = Volatile.Read(ref _places);
        foreach (Entry? entry in SetOf(places, hash))
        {
            if (entry is not null && entry.Is(directory.Incarnation, hash, name))
            {
                entry.WasUsed = true;
                number = entry.Number;
                return true;
            }
        }

        number = default;
        return false;
    }

    /// <summary>Notes what a name leads to, or with no number that it leads to nothing. The directory's lock is held, shared at least.</summary>
    public void Put(Inode directory, ReadOnlySpan<byte> name, InodeNumber number)
    {
        var entry = new Entry(directory.Incarnation, HashOf(directory, name), name.ToArray(), number);
        lock (_latch)
        {
            if (_count >= _places.Length / 4 * 3 && _places.Length < MaxPlaces)
            {
                Double();
            }

            Place(_places, entry);
        }
    }

    /// <summary>A name is about to change. The directory's lock is held exclusively.</summary>
    public void Forget(Inode directory, ReadOnlySpan<byte> name)
    {
        uint hash = HashOf(directory, name);
        lock (_latch)
        {
            foreach (ref Entry? place in SetOf(_places, hash))
            {
                if (place is not null && place.Is(directory.Incarnation, hash, name))
                {
                    place = null;
                    _count--;
                    return;
                }
            }
        }
    }

    private static Span<Entry?> SetOf(Entry?[] places, uint hash) => places.AsSpan((int)(hash & (uint)(places.Length - 1) & ~(uint)(Ways - 1)), Ways);

    /// <summary>The same in every run, so that a simulated run does not depend on the process.</summary>
    private static uint HashOf(Inode directory, ReadOnlySpan<byte> name)
    {
        const uint Prime = 16777619;
        uint hash = 2166136261 ^ (uint)directory.Incarnation;
        foreach (byte b in name)
        {
            hash = (hash ^ b) * Prime;
        }

        // The low bits choose the set, and of a product they are the poorest.
        return hash ^ BitOperations.RotateRight(hash, 15);
    }

    private void Double()
    {
        var places = new Entry?[_places.Length * 2];
        Entry?[] old = _places;
        _count = 0;
        foreach (Entry? entry in old)
        {
            if (entry is not null)
            {
                Place(places, entry);
            }
        }

        Volatile.Write(ref _places, places);
    }

    /// <summary>Puts an entry in a free place of its set, or in that of one that was not used lately; nowhere, if the name is known already.</summary>
    private void Place(Entry?[] places, Entry entry)
    {
        Span<Entry?> set = SetOf(places, entry.Hash);
        int free = -1;
        for (int i = 0; i < set.Length; i++)
        {
            if (set[i] is not { } other)
            {
                free = i;
            }
            else if (other.Is(entry.Directory, entry.Hash, entry.Name))
            {
                // Another look-up put the same a moment ago: by invariant 1 it cannot say anything else.
                return;
            }
        }

        _count += free >= 0 ? 1 : 0;
        set[free >= 0 ? free : FindVictim(set)] = entry;
    }

    private int FindVictim(ReadOnlySpan<Entry?> set)
    {
        for (int looks = 0; looks < Ways; looks++)
        {
            Entry entry = set[(int)(_hand++ % Ways)]!;
            if (!entry.WasUsed)
            {
                break;
            }

            entry.WasUsed = false;
        }

        return (int)((_hand - 1) % Ways);
    }

    private sealed class Entry(ulong directory, uint hash, byte[] name, InodeNumber number)
    {
        public ulong Directory => directory;

        public uint Hash => hash;

        public ReadOnlySpan<byte> Name => name;

        public InodeNumber Number => number;

        /// <summary>A hint for the eviction alone; written without a latch.</summary>
        public bool WasUsed { get; set; }

        public bool Is(ulong otherDirectory, uint otherHash, ReadOnlySpan<byte> otherName) =>
            hash == otherHash && directory == otherDirectory && otherName.SequenceEqual(name);
    }
}

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
    private Table _table = new(FirstPlaces);
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
        if (Volatile.Read(ref _table).Find(directory.Incarnation, hash, name) is { } entry)
        {
            entry.WasUsed = true;
            number = entry.Number;
            return true;
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
            if (_count >= _table.Length / 4 * 3 && _table.Length < MaxPlaces)
            {
                Double();
            }

            Place(_table, entry);
        }
    }

    /// <summary>A name is about to change. The directory's lock is held exclusively.</summary>
    public void Forget(Inode directory, ReadOnlySpan<byte> name)
    {
        uint hash = HashOf(directory, name);
        lock (_latch)
        {
            if (_table.Remove(directory.Incarnation, hash, name))
            {
                _count--;
            }
        }
    }

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
        Table old = _table;
        var table = new Table(old.Length * 2);
        _count = 0;
        foreach (Entry? entry in old.Entries)
        {
            if (entry is not null)
            {
                Place(table, entry);
            }
        }

        Volatile.Write(ref _table, table);
    }

    /// <summary>Puts an entry in a free place of its set, or in that of one that was not used lately; nowhere, if the name is known already.</summary>
    private void Place(Table table, Entry entry)
    {
        // Another look-up may have put the same a moment ago: by invariant 1 it cannot say anything else.
        if (table.Find(entry.Directory, entry.Hash, entry.Name) is not null)
        {
            return;
        }

        int first = table.SetOf(entry.Hash);
        ReadOnlySpan<Entry?> set = table.Entries.AsSpan(first, Ways);
        int free = Array.IndexOf(table.Entries, null, first, Ways);
        _count += free >= 0 ? 1 : 0;
        table.Put(free >= 0 ? free : first + FindVictim(set), entry);
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

    /// <summary>
    /// The places, and beside them the hashes of what is in them, so that a look-up touches no entry but the one it is after. A hash that is not yet, or no
    /// longer, that of its place only hides a name.
    /// </summary>
    private sealed class Table(int length)
    {
        private readonly uint[] _hashes = new uint[length];

        public int Length => length;

        public Entry?[] Entries { get; } = new Entry?[length];

        /// <summary>The first place of the set for a hash.</summary>
        public int SetOf(uint hash) => (int)(hash & (uint)(length - 1) & ~(uint)(Ways - 1));

        public Entry? Find(ulong directory, uint hash, ReadOnlySpan<byte> name)
        {
            int place = FindPlace(directory, hash, name, out Entry? entry);
            return place >= 0 ? entry : null;
        }

        public bool Remove(ulong directory, uint hash, ReadOnlySpan<byte> name)
        {
            int place = FindPlace(directory, hash, name, out _);
            if (place >= 0)
            {
                Entries[place] = null;
            }

            return place >= 0;
        }

        public void Put(int place, Entry entry)
        {
            Entries[place] = entry;
            _hashes[place] = entry.Hash;
        }

        private int FindPlace(ulong directory, uint hash, ReadOnlySpan<byte> name, out Entry? entry)
        {
            int first = SetOf(hash);
            for (int place = first; place < first + Ways; place++)
            {
                if (_hashes[place] == hash && (entry = Entries[place]) is not null && entry.Is(directory, hash, name))
                {
                    return place;
                }
            }

            entry = null;
            return -1;
        }
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

using Penstock.Execution;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Files;

/// <summary>
/// All inodes of a volume that are in memory: at most one object for each. References keep an inode; without any it stays for
/// the next look-up until there are too many, or is deleted if it has no name any more. Any thread.
/// </summary>
/// <remarks>
/// <para>States of a place in the table, and who moves it:</para>
/// <list type="bullet">
/// <item>Loading: the first <see cref="GetAsync"/> reads the inode; others wait. → Live, or → gone if the read fails.</item>
/// <item>Live: found by everyone. With no reference it is also in the list of idle ones, the oldest first. → Leaving by the last release of an
/// inode without names, or when too many are idle.</item>
/// <item>Leaving: being deleted, or stored for the last time; who wants it waits, then looks again. → gone, or → Live if storing fails.</item>
/// </list>
/// <para>Invariants: (1) a place that left the dictionary never comes back; whoever waited on it looks again; (2) an idle inode has no reference, and
/// is in the list of idle ones once; (3) no order of the dictionary is ever observable.</para>
/// </remarks>
internal sealed class InodeTable(FileSystem fileSystem)
{
    private readonly object _latch = new();
    private readonly Dictionary<InodeNumber, Place> _places = [];
    private readonly IdlePlaces _idle = new();
    private readonly LinkedList<Inode> _dirty = [];
    private long _failedStores;

    private enum PlaceState : byte
    {
        Loading,
        Live,
        Leaving,
    }

    public FileSystem FileSystem => fileSystem;

    /// <summary>How many inodes may stay in memory without a reference, some 1 KiB each: one for each 16 KiB that file pages may take, 4,096 at least.</summary>
    public int MaxIdle { get; init; } = (int)Math.Clamp(fileSystem.PageCache.Budget / (16 << 10), 4096, 1 << 17);

    /// <summary>
    /// How often storing an inode failed. Who finds an inode's attributes stored, by a handle of the running transaction, and commits that, compares
    /// this before and after: where it differs they may be waiting again.
    /// </summary>
    public long FailedStores => Interlocked.Read(ref _failedStores);

    /// <summary>How many inodes are in memory; for tests and diagnostics.</summary>
    public int Count
    {
        get
        {
            lock (_latch)
            {
                return _places.Count;
            }
        }
    }

    /// <summary>The inode, read if need be, with a reference for the caller. Loads of one inode are shared.</summary>
    /// <exception cref="FileSystemException">Stale: the inode is free, or the number is none.</exception>
    public ValueTask<Inode> GetAsync(InodeNumber number)
    {
        lock (_latch)
        {
            if (_places.TryGetValue(number, out Place? place) && place.State == PlaceState.Live)
            {
                return new ValueTask<Inode>(Refer(place));
            }
        }

        return LoadAsync(number);
    }

    /// <summary>The inode if it is in memory, with a reference for the caller; else null. Waits for nothing.</summary>
    public Inode? TryGet(InodeNumber number)
    {
        lock (_latch)
        {
            return _places.TryGetValue(number, out Place? place) && place.State == PlaceState.Live ? Refer(place) : null;
        }
    }

    /// <summary>Takes another reference. The caller holds one already, so the inode cannot be leaving.</summary>
    public void Reference(Inode inode)
    {
        lock (_latch)
        {
            if (inode.References <= 0)
            {
                throw new InvalidOperationException($"{inode} is not referenced, so it cannot be referenced again.");
            }

            inode.References++;
        }
    }

    /// <summary>
    /// Takes in an inode that its format has just made, with a reference for the caller. If a number was freed a moment ago, the old
    /// inode's place may still be leaving: the new one takes it over.
    /// </summary>
    /// <exception cref="CorruptVolumeException">The number is in use: the volume's bitmap of inodes is wrong.</exception>
    public void AddNew(Inode inode)
    {
        var place = new Place(inode.Number) { State = PlaceState.Live, Inode = inode };
        List<PooledCompletion<bool>>? waiters = null;
        lock (_latch)
        {
            if (_places.TryGetValue(inode.Number, out Place? old))
            {
                if (old.State == PlaceState.Live)
                {
                    throw new CorruptVolumeException("inode bitmap", inode.ToString(), "bit", "free, but the inode is in use");
                }

                waiters = old.TakeWaiters();
            }

            inode.References = 1;
            _places[inode.Number] = place;
        }

        Wake(waiters);
    }

    /// <summary>
    /// Gives <paramref name="count"/> references back. With the last one, an inode without names is deleted before this returns. No lock is held.
    /// </summary>
    public ValueTask ReleaseAsync(Inode inode, int count = 1)
    {
        Place place;
        lock (_latch)
        {
            if (inode.References < count)
            {
                throw new InvalidOperationException($"{inode} is released more often than it was referenced.");
            }

            inode.References -= count;
            if (inode.References == 0 && inode.Attributes.Links == 0 && !fileSystem.IsReadOnly)
            {
                place = _places[inode.Number];
            }
            else
            {
                if (inode.References == 0)
                {
                    Idle(_places[inode.Number]);
                }

                if (_idle.Count <= MaxIdle)
                {
                    return ValueTask.CompletedTask;
                }

                place = TakeOldest();
            }

            place.State = PlaceState.Leaving;
        }

        return LeaveAsync(place);
    }

    /// <summary>Gives a reference back, unless it is the last one of an inode that is then to be deleted: false, and the reference stays the caller's.</summary>
    public bool TryRelease(Inode inode)
    {
        lock (_latch)
        {
            if (inode.References == 1)
            {
                if (inode.Attributes.Links == 0 && !fileSystem.IsReadOnly)
                {
                    return false;
                }

                // There may be one idle inode too many now, until the next ReleaseAsync: each read of an inode is followed by one.
                Idle(_places[inode.Number]);
            }

            inode.References--;
            return true;
        }
    }

    /// <summary>Notes that an inode's attributes wait to be stored.</summary>
    public void AddDirty(Inode inode)
    {
        lock (_latch)
        {
            inode.DirtyNode ??= _dirty.AddLast(inode);
        }
    }

    /// <summary>An inode's attributes were put into its block, in a handle that is still open: it leaves the list, unless they have changed again.</summary>
    public void NoteStored(Inode inode)
    {
        lock (_latch)
        {
            if (inode.DirtyNode is { } node && !inode.IsAttributesDirty)
            {
                _dirty.Remove(node);
                inode.DirtyNode = null;
            }
        }
    }

    /// <summary>An inode's attributes could not be put into its block; they are marked as waiting again, and the handle is still open.</summary>
    public void NoteFailedStore() => Interlocked.Increment(ref _failedStores);

    /// <summary>
    /// The inodes whose attributes wait to be stored, those that have waited longest first, at most <paramref name="max"/>. They stay on the list
    /// until they are stored: a sync that began later must not miss one that somebody else is about to store.
    /// </summary>
    public Inode[] ListDirty(int max = int.MaxValue)
    {
        lock (_latch)
        {
            return [.. _dirty.Take(max)];
        }
    }

    /// <summary>Stores every inode whose attributes had changed when this was called. No lock is held.</summary>
    public async ValueTask StoreDirtyAsync()
    {
        foreach (Inode inode in ListDirty())
        {
            if (inode.IsAttributesDirty)
            {
                await StoreAsync(inode).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Stores or deletes what is left in memory, in the order of numbers; for closing a volume. Nobody uses it any more.</summary>
    public async ValueTask CloseAsync()
    {
        List<Place> all;
        lock (_latch)
        {
            all = [.. _places.Values.Where(p => p.State == PlaceState.Live).OrderBy(p => p.Number)];
            foreach (Place place in all)
            {
                StopIdling(place);
                place.State = PlaceState.Leaving;
            }
        }

        foreach (Place place in all)
        {
            await LeaveAsync(place).ConfigureAwait(false);
        }
    }

    private Inode Refer(Place place)
    {
        StopIdling(place);
        place.Inode!.References++;
        return place.Inode;
    }

    private void Idle(Place place)
    {
        _idle.Add(place);
    }

    private void StopIdling(Place place)
    {
        if (place.IsIdle)
        {
            _idle.Remove(place);
        }
    }

    /// <summary>The place that has been idle longest leaves. Some place is idle.</summary>
    private Place TakeOldest()
    {
        Place oldest = _idle.Oldest;
        StopIdling(oldest);
        return oldest;
    }

    private async ValueTask<Inode> LoadAsync(InodeNumber number)
    {
        while (true)
        {
            Place? place;
            ValueTask<bool> moved = default;
            bool isLoader = false;
            lock (_latch)
            {
                if (!_places.TryGetValue(number, out place))
                {
                    place = new Place(number);
                    _places.Add(number, place);
                    isLoader = true;
                }
                else if (place.State == PlaceState.Live)
                {
                    return Refer(place);
                }
                else
                {
                    moved = place.AddWaiter(fileSystem.Scheduler);
                }
            }

            if (!isLoader)
            {
                _ = await moved.ConfigureAwait(false);
            }
            else if (await FillAsync(place).ConfigureAwait(false) is { } inode)
            {
                return inode;
            }
        }
    }

    /// <summary>Reads the inode of a place that is loading. Null if a new inode took the place meanwhile.</summary>
    private async ValueTask<Inode?> FillAsync(Place place)
    {
        Inode? inode = null;
        try
        {
            inode = await fileSystem.LoadInodeAsync(place.Number).ConfigureAwait(false);
        }
        finally
        {
            List<PooledCompletion<bool>>? waiters;
            lock (_latch)
            {
                waiters = place.TakeWaiters();
                if (_places.GetValueOrDefault(place.Number) != place)
                {
                    inode = null;
                }
                else if (inode is null)
                {
                    _places.Remove(place.Number);
                }
                else
                {
                    place.Inode = inode;
                    place.State = PlaceState.Live;
                    inode.References++;
                }
            }

            Wake(waiters);
        }

        return inode;
    }

    private async ValueTask LeaveAsync(Place place)
    {
        Inode inode = place.Inode!;
        bool isGone = true;
        try
        {
            if (inode.Attributes.Links == 0 && !fileSystem.IsReadOnly)
            {
                await fileSystem.DeleteInodeAsync(inode).ConfigureAwait(false);
            }
            else
            {
                await fileSystem.EvictInodeAsync(inode).ConfigureAwait(false);
            }
        }
        catch (FileSystemException) when (inode.Attributes.Links == 0)
        {
            // It stays on the volume's list of orphans: the next open for writing, or e2fsck, tries again.
        }
        catch (FileSystemException)
        {
            // What cannot be stored stays in memory; fsync of whoever opens it reports the failure.
            isGone = false;
        }
        finally
        {
            EndLeaving(place, isGone);
        }
    }

    private void EndLeaving(Place place, bool isGone)
    {
        List<PooledCompletion<bool>>? waiters;
        lock (_latch)
        {
            waiters = place.TakeWaiters();
            if (isGone)
            {
                place.Inode!.Retire();
                if (_places.GetValueOrDefault(place.Number) == place)
                {
                    _places.Remove(place.Number);
                }
            }
            else
            {
                place.State = PlaceState.Live;
                Idle(place);
            }
        }

        Wake(waiters);
    }

    private static void Wake(List<PooledCompletion<bool>>? waiters)
    {
        foreach (PooledCompletion<bool> waiter in waiters ?? [])
        {
            waiter.Complete(true);
        }
    }

    private async ValueTask StoreAsync(Inode inode)
    {
        Handle handle = await fileSystem.Journal.BeginAsync(1).ConfigureAwait(false);
        try
        {
            await inode.StoreAsync(handle).ConfigureAwait(false);
        }
        finally
        {
            handle.Stop();
        }
    }

    /// <summary>Where an inode is, will be, or was a moment ago.</summary>
    private sealed class Place(InodeNumber number)
    {
        private List<PooledCompletion<bool>>? _waiters;

        public InodeNumber Number => number;

        public PlaceState State { get; set; }

        public Inode? Inode { get; set; }

        public bool IsIdle => NextIdle is not null;

        /// <summary>Its neighbours in the list of idle ones, while it is idle.</summary>
        public Place? NextIdle { get; set; }

        /// <inheritdoc cref="NextIdle"/>
        public Place? PreviousIdle { get; set; }

        /// <summary>A task for the place's next move. The table's latch is held.</summary>
        public ValueTask<bool> AddWaiter(Scheduler scheduler)
        {
            PooledCompletion<bool> waiter = PooledCompletion<bool>.Rent(scheduler);
            (_waiters ??= []).Add(waiter);
            return waiter.Task;
        }

        /// <summary>Who waits for the place's move, to be woken after the latch is let go. The table's latch is held.</summary>
        public List<PooledCompletion<bool>>? TakeWaiters()
        {
            List<PooledCompletion<bool>>? waiters = _waiters;
            _waiters = null;
            return waiters;
        }
    }

    /// <summary>The idle places, the oldest first: a ring through the places themselves, since there are many.</summary>
    private sealed class IdlePlaces
    {
        private readonly Place _end = new(default);

        public IdlePlaces() => _end.NextIdle = _end.PreviousIdle = _end;

        public int Count { get; private set; }

        public Place Oldest => Count > 0 ? _end.NextIdle! : throw new InvalidOperationException("No inode is idle.");

        public void Add(Place place)
        {
            (place.PreviousIdle, place.NextIdle) = (_end.PreviousIdle, _end);
            _end.PreviousIdle!.NextIdle = place;
            _end.PreviousIdle = place;
            Count++;
        }

        public void Remove(Place place)
        {
            place.PreviousIdle!.NextIdle = place.NextIdle;
            place.NextIdle!.PreviousIdle = place.PreviousIdle;
            (place.PreviousIdle, place.NextIdle) = (null, null);
            Count--;
        }
    }
}

using Penstock.Memory;
using Penstock.Uring;

namespace Penstock.Devices.Rings;

/// <summary>
/// The memory that is registered with one ring: the kernel has its pages pinned, and transfers to and from it pin none. Any thread may add, remove and
/// look up.
/// </summary>
/// <remarks>
/// Invariants: (1) no two stretches overlap, since each is one allocation that is removed before it is freed; (2) memory that a request in flight
/// uses is not removed, since its owner may not free it.
/// </remarks>
internal sealed class RegisteredBuffers
{
    /// <summary>How many stretches there may be: places in a table of the kernel's, each a pointer while it is empty.</summary>
    public const int Capacity = 256;

    /// <summary>The kernel takes no longer stretch.</summary>
    public const int MaxLength = 1 << 30;

    private readonly Ring _ring;
    private readonly object _latch = new();
    private readonly bool[] _isTaken = new bool[Capacity];
    private readonly Errno _tableError;
    private Entry[] _entries = [];
    private bool _isClosed;

    /// <summary>Makes the table of a ring that has none. Where the kernel has no such tables, nothing can be registered.</summary>
    public RegisteredBuffers(Ring ring)
    {
        _ring = ring;
        _tableError = ring.RegisterBufferTable(Capacity);
    }

    /// <summary>Registers memory. None; ENOMEM where the memlock limit leaves no room; ENOSPC where the table is full; or the kernel's word.</summary>
    public Errno Add(IoSegment memory)
    {
        lock (_latch)
        {
            int slot = Array.IndexOf(_isTaken, false);
            Errno error = _isClosed ? Errno.EBADF
                : _tableError != Errno.None ? _tableError
                : slot < 0 ? Errno.ENOSPC
                : memory.Length > MaxLength ? Errno.EFBIG
                : _ring.UpdateBuffer((uint)slot, new IoVector(memory.Address, memory.Length));
            if (error == Errno.None)
            {
                _isTaken[slot] = true;
                Entry[] entries = [.. _entries, new Entry(memory.Address, memory.Address + memory.Length, slot)];
                Array.Sort(entries, static (a, b) => a.Start.CompareTo(b.Start));
                Volatile.Write(ref _entries, entries);
            }

            return error;
        }
    }

    /// <summary>Lets go of memory that was added, if it still is there. No request uses it.</summary>
    public void Remove(IoSegment memory)
    {
        lock (_latch)
        {
            int index = Array.FindIndex(_entries, entry => entry.Start == memory.Address);
            if (_isClosed || index < 0)
            {
                return;
            }

            int slot = _entries[index].Slot;
            Volatile.Write(ref _entries, [.. _entries[..index], .. _entries[(index + 1)..]]);

            // A slot that the kernel did not empty is not used again: it would keep two stretches apart no more.
            _isTaken[slot] = _ring.UpdateBuffer((uint)slot, default) != Errno.None;
        }
    }

    /// <summary>The slot of the stretch that holds all of <paramref name="segment"/>, or -1.</summary>
    public int Find(IoSegment segment)
    {
        Entry[] entries = Volatile.Read(ref _entries);
        int low = 0;
        int high = entries.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (entries[middle].End <= segment.Address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low < entries.Length && entries[low].Start <= segment.Address && segment.Address + segment.Length <= entries[low].End
            ? entries[low].Slot
            : -1;
    }

    /// <summary>The ring is about to end, and its registrations with it.</summary>
    public void Close()
    {
        lock (_latch)
        {
            _isClosed = true;
        }
    }

    private readonly record struct Entry(nint Start, nint End, int Slot);
}

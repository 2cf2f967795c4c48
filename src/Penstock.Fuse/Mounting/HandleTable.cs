namespace Penstock.Fuse.Mounting;

/// <summary>
/// The file handles that the kernel holds: numbers that lead to open files. A number carries the generation of its slot, so a stale or
/// invented one is found out and never reaches somebody else's file.
/// </summary>
internal sealed class HandleTable<T>
    where T : class
{
    private readonly object _lock = new();
    private readonly Stack<int> _free = new();
    private Slot[] _slots = new Slot[64];
    private int _count;

    /// <summary>Handles in use.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _count - _free.Count;
            }
        }
    }

    /// <summary>Gives a handle for an open file. No handle is 0.</summary>
    public ulong Add(T value)
    {
        lock (_lock)
        {
            if (!_free.TryPop(out int index))
            {
                if (_count == _slots.Length)
                {
                    Array.Resize(ref _slots, _count * 2);
                }

                index = _count++;
            }

            ref Slot slot = ref _slots[index];
            slot.Generation++;
            slot.Value = value;
            return ((ulong)slot.Generation << 32) | (uint)index;
        }
    }

    /// <summary>The open file of a handle.</summary>
    /// <exception cref="FileSystemException">BadHandle: there is none.</exception>
    public T this[ulong handle] => Find(handle, isTaken: false) ?? throw new FileSystemException(IoFault.BadHandle);

    /// <summary>Takes a handle back. Null when it is none; it is not the kernel's fault that we then have nothing to close.</summary>
    public T? Remove(ulong handle) => Find(handle, isTaken: true);

    /// <summary>Takes all handles back: the mount is gone, and what was not released never will be.</summary>
    public IReadOnlyList<T> RemoveAll()
    {
        var values = new List<T>();
        lock (_lock)
        {
            for (int i = 0; i < _count; i++)
            {
                if (_slots[i].Value is { } value)
                {
                    values.Add(value);
                    _slots[i].Value = null;
                    _free.Push(i);
                }
            }
        }

        return values;
    }

    private T? Find(ulong handle, bool isTaken)
    {
        lock (_lock)
        {
            uint index = (uint)handle;
            if (index >= (uint)_count || _slots[index].Generation != (uint)(handle >> 32))
            {
                return null;
            }

            T? value = _slots[index].Value;
            if (isTaken && value is not null)
            {
                _slots[index].Value = null;
                _free.Push((int)index);
            }

            return value;
        }
    }

    private struct Slot
    {
        public uint Generation;
        public T? Value;
    }
}

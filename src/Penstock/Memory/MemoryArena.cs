namespace Penstock.Memory;

/// <summary>
/// One stretch of aligned memory, divided into slots of one length. A device that registers it with the kernel when it is opened
/// transfers to and from it without pinning pages anew for each request. Any thread may rent and return.
/// </summary>
internal sealed class MemoryArena : IDisposable
{
    private readonly AlignedBuffer _memory;
    private readonly int[] _free;
    private int _freeCount;

    /// <summary>Allocates <paramref name="slotCount"/> slots of <paramref name="slotLength"/> bytes, together below 1 GiB.</summary>
    public MemoryArena(int slotLength, int slotCount)
    {
        SlotLength = slotLength;
        _memory = new AlignedBuffer(checked(slotLength * slotCount));
        _free = new int[slotCount];
        for (int i = 0; i < slotCount; i++)
        {
            _free[i] = slotCount - 1 - i;
        }

        _freeCount = slotCount;
    }

    public int SlotLength { get; }

    /// <summary>All of the memory.</summary>
    public IoSegment Segment => _memory.Segment;

    /// <summary>Whether every byte of <paramref name="segment"/> lies in the arena.</summary>
    public bool Contains(IoSegment segment)
    {
        IoSegment all = Segment;
        return segment.Address >= all.Address && segment.Address + segment.Length <= all.Address + all.Length;
    }

    /// <summary>Hands out a slot, its content undefined; false if none is free.</summary>
    public bool TryRent(out IoSegment slot)
    {
        lock (_free)
        {
            if (_freeCount == 0)
            {
                slot = default;
                return false;
            }

            slot = Segment.Slice(_free[--_freeCount] * SlotLength, SlotLength);
            return true;
        }
    }

    /// <summary>Takes a slot back, once no device owns any of it.</summary>
    public void Return(IoSegment slot)
    {
        long start = slot.Address - Segment.Address;
        if (!Contains(slot) || start % SlotLength != 0)
        {
            throw new ArgumentException("The memory is no slot of this arena.", nameof(slot));
        }

        lock (_free)
        {
            _free[_freeCount++] = (int)(start / SlotLength);
        }
    }

    public void Dispose() => ((IDisposable)_memory).Dispose();
}

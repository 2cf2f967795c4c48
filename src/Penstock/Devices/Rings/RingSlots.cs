using System.Runtime.InteropServices;
using Penstock.Uring;

namespace Penstock.Devices.Rings;

/// <summary>
/// The requests that the kernel has in hand. A slot's number and generation travel as user data in place of a pointer, so a completion
/// that fits no slot is noticed and not believed.
/// </summary>
internal sealed unsafe class RingSlots : IDisposable
{
    private readonly Slot[] _slots;
    private readonly int[] _free;
    private int _freeCount;

    public RingSlots(int count)
    {
        _slots = new Slot[count];
        _free = new int[count];
        for (int i = 0; i < count; i++)
        {
            _free[i] = count - 1 - i;
        }

        _freeCount = count;
    }

    public bool HasFree => _freeCount > 0;

    public int UsedCount => _slots.Length - _freeCount;

    public ref Slot this[int index] => ref _slots[index];

    public int Take(DeviceRequest request)
    {
        int index = _free[--_freeCount];
        ref Slot slot = ref _slots[index];
        slot.Request = request;
        slot.Generation = (slot.Generation + 1) & 0x7FFF_FFFF;
        slot.WritesZeroes = false;
        return index;
    }

    public DeviceRequest Free(int index)
    {
        ref Slot slot = ref _slots[index];
        DeviceRequest request = slot.Request!;
        slot.Request = null;
        _free[_freeCount++] = index;
        return request;
    }

    public ulong UserData(int index) => ((ulong)_slots[index].Generation << 32) | (uint)index;

    /// <summary>The slot that a completion belongs to.</summary>
    public int Find(ulong userData)
    {
        uint index = (uint)userData;
        if (index >= (uint)_slots.Length || _slots[index].Request is null || _slots[index].Generation != userData >> 32)
        {
            Environment.FailFast("The ring completed something that was not submitted to it.");
        }

        return (int)index;
    }

    public void Dispose()
    {
        foreach (ref Slot slot in _slots.AsSpan())
        {
            NativeMemory.Free(slot.Vectors);
            slot.Vectors = null;
            slot.VectorCapacity = 0;
        }
    }

    internal struct Slot
    {
        public DeviceRequest? Request;
        public uint Generation;

        /// <summary>How many bytes the step in flight should transfer.</summary>
        public int Expected;

        /// <summary>A write of zeros is being carried out as plain writes, since the host has nothing quicker.</summary>
        public bool WritesZeroes;

        /// <summary>Native memory, so that the kernel may read it for as long as the slot is in use.</summary>
        public IoVector* Vectors;

        public int VectorCapacity;

        public void EnsureVectors(int count)
        {
            if (count > VectorCapacity)
            {
                VectorCapacity = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count);
                Vectors = (IoVector*)NativeMemory.Realloc(Vectors, (nuint)VectorCapacity * (nuint)sizeof(IoVector));
            }
        }
    }
}

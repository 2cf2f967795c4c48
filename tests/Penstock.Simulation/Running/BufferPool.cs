using System.Runtime.InteropServices;
using Penstock.Memory;

namespace Penstock.Simulation.Running;

/// <summary>
/// The memory of simulated users, aligned, of one length. What is given back is scribbled over, so that whoever still reads it reads junk,
/// and the device is watched so that nobody still writes it (invariant 3.15). One thread.
/// </summary>
internal sealed unsafe class BufferPool
{
    /// <summary>The length of a buffer, and its alignment, in bytes.</summary>
    public const int Length = 1 << 16;

    /// <summary>What a buffer is full of before a read.</summary>
    public const byte Canary = 0xEE;

    private const byte Scribble = 0xA7;

    [ThreadStatic]
    private static BufferPool? t_instance;

    private readonly Stack<nint> _free = new();
    private readonly HashSet<nint> _inUse = [];
    private readonly HashSet<nint> _all = [];

    public static BufferPool OfThread => t_instance ??= new BufferPool();

    public IoSegment Rent()
    {
        if (!_free.TryPop(out nint address))
        {
            address = (nint)NativeMemory.AlignedAlloc(Length, Length);
            _all.Add(address);
        }

        _inUse.Add(address);
        return new IoSegment(address, Length);
    }

    public void Return(IoSegment buffer, int used)
    {
        buffer.Bytes[..used].Fill(Scribble);
        _inUse.Remove(buffer.Address);
        _free.Push(buffer.Address);
    }

    /// <summary>Whether memory is a user's, and not in use: nobody may touch it.</summary>
    public bool IsForbidden(nint address) =>
        (address & ~(nint)(Length - 1)) is var start && _all.Contains(start) && !_inUse.Contains(start);

    /// <summary>A run has ended in the middle: everything is free again.</summary>
    public void Reset()
    {
        foreach (nint address in _inUse)
        {
            _free.Push(address);
        }

        _inUse.Clear();
    }
}

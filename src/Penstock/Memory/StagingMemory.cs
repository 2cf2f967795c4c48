using System.Runtime.InteropServices;
using Penstock.Execution;

namespace Penstock.Memory;

/// <summary>
/// Copies of user memory, made in a user place before any lock is taken: user memory may be mapped from our own mount, so that touching it
/// may need the very locks a write is about to hold. Memory that is ours is used as it is.
/// </summary>
internal sealed unsafe class StagingMemory : IDisposable
{
    /// <summary>What one staging keeps for the next, in bytes; larger writes are staged in pieces of this.</summary>
    public const int MaxLength = 1 << 20;

    private static readonly Pool<StagingMemory> s_pool = new(() => new StagingMemory(), capacity: 64);

    private nint _address;
    private int _capacity;

    private StagingMemory()
    {
    }

    ~StagingMemory() => NativeMemory.AlignedFree((void*)_address);

    /// <summary>The staged bytes; disposed together with this object.</summary>
    public SegmentList? List { get; private set; }

    /// <summary>Stages <paramref name="length"/> bytes. The caller is in a user place.</summary>
    public static StagingMemory Stage(SegmentList source, long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)length, (ulong)(source.Length - start));
        StagingMemory staging = Take(length);
        source.CopyTo(start, staging.List!.Segments[0].Bytes);
        return staging;
    }

    /// <summary>Memory of our own of <paramref name="length"/> bytes, whatever is in it, to be read into.</summary>
    public static StagingMemory Take(int length)
    {
        StagingMemory staging = s_pool.Rent();
        staging.EnsureCapacity(length);
        staging.List = SegmentList.Rent([new IoSegment(staging._address, length)], isOurs: true);
        return staging;
    }

    /// <summary>Stages memory of a user that does not move, or does and is copied here and now. The caller is in a user place.</summary>
    public static StagingMemory Stage(ReadOnlySpan<byte> source)
    {
        StagingMemory staging = Take(source.Length);
        source.CopyTo(staging.List!.Segments[0].Bytes);
        return staging;
    }

    public void Dispose()
    {
        List?.Dispose();
        List = null;
        if (_capacity > MaxLength)
        {
            Free();
        }

        s_pool.Return(this);
    }

    private void EnsureCapacity(int length)
    {
        if (_capacity >= length)
        {
            return;
        }

        // The old memory is forgotten before the new is asked for: there may be none, and the finaliser frees what it finds.
        Free();
        int capacity = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(length, 4096));
        _address = (nint)NativeMemory.AlignedAlloc((nuint)capacity, 4096);
        _capacity = capacity;
    }

    private void Free()
    {
        NativeMemory.AlignedFree((void*)_address);
        (_address, _capacity) = (0, 0);
    }
}

using System.Buffers;
using System.Runtime.InteropServices;

namespace Penstock;

/// <summary>
/// Native memory aligned for direct I/O. It does not move, so pinning it is free. Dispose it when no I/O on it is in flight;
/// there is no finaliser, since a span over the memory would not keep it alive.
/// </summary>
public sealed unsafe class AlignedBuffer : MemoryManager<byte>
{
    private readonly int _length;
    private nint _address;

    /// <summary>Allocates zeroed memory.</summary>
    /// <param name="length">The length in bytes.</param>
    /// <param name="alignment">The alignment of the first byte: a power of two. The default suits every common device.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative, or the alignment is not a power of two.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public AlignedBuffer(int length, int alignment = 4096)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (!System.Numerics.BitOperations.IsPow2(alignment))
        {
            throw new ArgumentOutOfRangeException(nameof(alignment), alignment, "The alignment is not a power of two.");
        }

        _length = length;
        nuint allocated = (nuint)Math.Max(length, 1);
        _address = (nint)NativeMemory.AlignedAlloc(allocated, (nuint)alignment);
        NativeMemory.Clear((void*)_address, allocated);
        GC.AddMemoryPressure(_length + 1L);
    }

    /// <summary>The length in bytes.</summary>
    public int Length => _length;

    internal Memory.IoSegment Segment => new(_address, _length);

    /// <inheritdoc/>
    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_address == 0, this);
        return new Span<byte>((void*)_address, _length);
    }

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ObjectDisposedException.ThrowIf(_address == 0, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)_length);
        return new MemoryHandle((byte*)_address + elementIndex, pinnable: this);
    }

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        nint address = Interlocked.Exchange(ref _address, 0);
        if (address != 0)
        {
            NativeMemory.AlignedFree((void*)address);
            GC.RemoveMemoryPressure(_length + 1L);
        }
    }
}

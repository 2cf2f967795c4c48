using System.Buffers;
using System.Runtime.InteropServices;
using Penstock.Memory;

namespace Penstock;

/// <summary>
/// Native memory aligned for direct I/O. It does not move, so pinning it is free. Dispose it when no I/O on it is in flight;
/// there is no finaliser, since a span over the memory would not keep it alive.
/// </summary>
public sealed unsafe class AlignedBuffer : MemoryManager<byte>, IPrivateMemory
{
    private readonly int _length;
    private readonly IMemoryRegistrar? _registrar;
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

    /// <summary>Allocates zeroed memory and registers it, if that is to be had.</summary>
    internal AlignedBuffer(int length, int alignment, IMemoryRegistrar registrar)
        : this(length, alignment)
    {
        bool isRegistered = registrar.TryRegister(Segment, out string reason);
        _registrar = isRegistered ? registrar : null;
        PlainReason = isRegistered ? null : reason;
    }

    /// <summary>
    /// Why the kernel does not keep the buffer's pages at hand, or null where it does (<see cref="Volume.RentBuffer"/>). A buffer serves the same
    /// requests either way.
    /// </summary>
    public string? PlainReason { get; } = "not rented from a volume";

    /// <summary>The length in bytes.</summary>
    public int Length => _length;

    internal IoSegment Segment => new(_address, _length);

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
            _registrar?.Unregister(new IoSegment(address, _length));
            NativeMemory.AlignedFree((void*)address);
            GC.RemoveMemoryPressure(_length + 1L);
        }
    }
}

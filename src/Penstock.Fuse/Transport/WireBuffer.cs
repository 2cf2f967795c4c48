using System.Buffers;
using System.Runtime.InteropServices;
using Penstock.Memory;

namespace Penstock.Fuse.Transport;

/// <summary>
/// Native memory for one message: a payload that begins on a page, and room before it for what precedes the payload of a WRITE.
/// The kernel hands out a request as one run of bytes; received <see cref="WriteHead"/> bytes before the page, a WRITE's data lies
/// on the page and can go to the device as it is, while every other request is still contiguous.
/// </summary>
internal sealed unsafe class WireBuffer : MemoryManager<byte>, IPrivateMemory
{
    /// <summary>struct fuse_in_header and struct fuse_write_in.</summary>
    public const int WriteHead = 40 + 40;

    private const int PageSize = 4096;
    private readonly WireSlab? _slab;
    private byte* _memory;

    /// <summary>A buffer with memory of its own.</summary>
    public WireBuffer(int payloadCapacity)
    {
        PayloadCapacity = payloadCapacity;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)LengthFor(payloadCapacity), PageSize);
    }

    /// <summary>A buffer that lies in a slab, on a page.</summary>
    public WireBuffer(int payloadCapacity, WireSlab slab, byte* memory)
    {
        PayloadCapacity = payloadCapacity;
        _slab = slab;
        _memory = memory;
    }

    /// <summary>The memory that such a buffer takes, in bytes.</summary>
    public static int LengthFor(int payloadCapacity) => PageSize + payloadCapacity;

    /// <summary>Bytes from the page on.</summary>
    public int PayloadCapacity { get; }

    /// <summary>Where a request is received.</summary>
    public byte* Start => _memory + PageSize - WriteHead;

    /// <summary>Bytes that a request can have.</summary>
    public int Capacity => WriteHead + PayloadCapacity;

    /// <summary>The aligned part.</summary>
    public byte* Payload => _memory + PageSize;

    /// <summary>The aligned part, from <see cref="Payload"/> to the end.</summary>
    public override Span<byte> GetSpan() => new(Payload, PayloadCapacity);

    /// <summary>Native memory does not move: there is nothing to pin.</summary>
    public override MemoryHandle Pin(int elementIndex = 0) => new(Payload + elementIndex);

    public override void Unpin()
    {
    }

    /// <summary>Frees the memory; only the pool does this, when no request uses it.</summary>
    public void Free() => ((IDisposable)this).Dispose();

    protected override void Dispose(bool disposing)
    {
        if (_slab is null)
        {
            NativeMemory.AlignedFree(_memory);
        }
        else
        {
            _slab.Release();
        }

        _memory = null;
    }
}

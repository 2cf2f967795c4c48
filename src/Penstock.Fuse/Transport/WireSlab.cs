using Penstock.Memory;
using Penstock.Uring;

namespace Penstock.Fuse.Transport;

/// <summary>
/// One stretch of memory that many wire buffers lie in, so that the ring of the volume's device can register it: the device then moves their payloads without pinning their
/// pages anew for each request. It goes when the last of them does.
/// </summary>
internal sealed unsafe class WireSlab
{
    /// <summary>As many as the kernel has requests in the background, so that small direct I/O finds one.</summary>
    private const int Smallest = 256;
    private const int Small = 128;

    /// <summary>Two readers' worth of 1 MiB requests at depth 8: what finds none of these has its pages pinned for each transfer, a twelfth of the server's processor time.</summary>
    private const int Largest = 16;

    /// <summary>With this much allowed to be locked, the large ones may be too.</summary>
    private const ulong PlentyOfLockedMemory = 64 << 20;

    private readonly AlignedBuffer _memory;
    private readonly List<WireBuffer> _buffers = [];
    private int _left;

    private WireSlab(ReadOnlySpan<(int PayloadCapacity, int Count)> parts)
    {
        int length = 0;
        foreach ((int payloadCapacity, int count) in parts)
        {
            length += count * WireBuffer.LengthFor(payloadCapacity);
        }

        _memory = new AlignedBuffer(length);
        var next = (byte*)_memory.Segment.Address;
        foreach ((int payloadCapacity, int count) in parts)
        {
            for (int i = 0; i < count; i++)
            {
                _buffers.Add(new WireBuffer(payloadCapacity, this, next));
                next += WireBuffer.LengthFor(payloadCapacity);
            }
        }

        _left = _buffers.Count;
    }

    /// <summary>All of it.</summary>
    public IoSegment Segment => _memory.Segment;

    /// <summary>The buffers, each of which goes back with <see cref="WireBuffer.Free"/>.</summary>
    public IReadOnlyList<WireBuffer> Buffers => _buffers;

    /// <param name="smallest">The payload of the smallest buffers.</param>
    /// <param name="small">The payload of the next.</param>
    /// <param name="largest">The payload of the largest, of which there are a few if the host lets that much be locked.</param>
    public static WireSlab Create(int smallest, int small, int largest) =>
        new([(smallest, Smallest), (small, Small), (largest, ResourceLimits.LockedMemory >= PlentyOfLockedMemory ? Largest : 0)]);

    /// <summary>One of the buffers is not used any more.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _left) == 0)
        {
            ((IDisposable)_memory).Dispose();
        }
    }
}

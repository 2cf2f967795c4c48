using System.Buffers;
using Penstock.Memory;

namespace Penstock.Simulation.Running;

/// <summary>Native memory as managed code wants to see it.</summary>
internal sealed unsafe class NativeBuffer(nint address, int length) : MemoryManager<byte>, IPrivateMemory
{
    public override Span<byte> GetSpan() => new((void*)address, length);

    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)address + elementIndex, pinnable: this);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}

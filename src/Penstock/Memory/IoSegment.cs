namespace Penstock.Memory;

/// <summary>A stretch of memory that does not move: native, or pinned for as long as the segment is in use.</summary>
/// <param name="Address">The address of the first byte.</param>
/// <param name="Length">The length in bytes.</param>
internal readonly record struct IoSegment(nint Address, int Length)
{
    public unsafe Span<byte> Bytes => new((void*)Address, Length);

    /// <summary>The part that starts at <paramref name="start"/> and is <paramref name="length"/> bytes long.</summary>
    public IoSegment Slice(int start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)start, (uint)Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)(Length - start));
        return new IoSegment(Address + start, length);
    }

    /// <summary>Whether the address and the length are multiples of <paramref name="alignment"/>, a power of two.</summary>
    public bool IsAligned(int alignment) => ((Address | Length) & (alignment - 1)) == 0;
}

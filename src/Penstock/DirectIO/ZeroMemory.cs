using Penstock.Memory;

namespace Penstock.DirectIO;

/// <summary>Zeros to write from: the heads and tails of new blocks (Rule 2.10). Never written to.</summary>
internal static class ZeroMemory
{
    /// <summary>The largest block size of any format.</summary>
    public const int Length = 64 * 1024;

    private static readonly AlignedBuffer s_zeros = new(Length);

    public static IoSegment Segment(int length) => s_zeros.Segment.Slice(0, length);
}

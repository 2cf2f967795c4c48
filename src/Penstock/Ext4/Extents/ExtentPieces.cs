using System.Runtime.CompilerServices;
using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Extents;

/// <summary>
/// The few extents that take the place of others in a leaf. A piece that continues the one before it is joined to it; one that is too long for
/// an entry becomes two.
/// </summary>
internal struct ExtentPieces
{
    /// <summary>A neighbour on each side and three parts between.</summary>
    public const int Capacity = 5;

    private Items _items;

    public int Count { get; private set; }

    public readonly ExtentLeaf this[int index] => _items[index];

    /// <summary>Adds the next extent; nothing if it is empty.</summary>
    public void Add(ulong first, ulong length, bool isUnwritten, VolumeBlock start)
    {
        ulong limit = LimitOf(isUnwritten);
        while (length > 0)
        {
            var piece = new ExtentLeaf((uint)first, (ushort)Math.Min(length, limit), isUnwritten, start);
            first += piece.Length;
            start += piece.Length;
            length -= piece.Length;
            Append(piece);
        }
    }

    public void Add(ExtentLeaf piece) => Add(piece.First, piece.Length, piece.IsUnwritten, piece.Start);

    /// <summary>The two parts of an extent, not joined.</summary>
    public static ExtentPieces Halves(ExtentLeaf extent, ushort length)
    {
        var halves = new ExtentPieces { Count = 2 };
        halves._items[0] = extent with { Length = length };
        halves._items[1] = new ExtentLeaf(
            extent.First + length, (ushort)(extent.Length - length), extent.IsUnwritten, extent.Start + length);
        return halves;
    }

    /// <summary>The longest that one entry can be.</summary>
    public static ushort LimitOf(bool isUnwritten) => isUnwritten ? ExtentLeaf.MaxUnwrittenLength : ExtentLeaf.MaxWrittenLength;

    private void Append(ExtentLeaf piece)
    {
        if (Count > 0)
        {
            ExtentLeaf last = _items[Count - 1];
            bool isContinued = last.IsUnwritten == piece.IsUnwritten && last.End == piece.First && last.Start + last.Length == piece.Start;
            if (isContinued && last.Length + piece.Length <= LimitOf(piece.IsUnwritten))
            {
                _items[Count - 1] = last with { Length = (ushort)(last.Length + piece.Length) };
                return;
            }
        }

        _items[Count++] = piece;
    }

    [InlineArray(Capacity)]
    private struct Items
    {
        private ExtentLeaf _first;
    }
}

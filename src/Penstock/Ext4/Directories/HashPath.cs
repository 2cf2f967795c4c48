using Penstock.Ext4.Format;
using Penstock.Journal;

namespace Penstock.Ext4.Directories;

/// <summary>A block of a hash tree on the way to a leaf, and which of its entries leads on.</summary>
internal sealed class HashFrame(MetadataBlock block, uint index, int entriesOffset, int at)
{
    /// <summary>The block, pinned by the path.</summary>
    public MetadataBlock Block => block;

    /// <summary>Its place in the directory's file.</summary>
    public uint Index => index;

    public int EntriesOffset => entriesOffset;

    /// <summary>The entry that leads on.</summary>
    public int At { get; set; } = at;

    public int EntryCount => DxNode.ReadCount(block.Bytes, entriesOffset);

    public bool IsFull => EntryCount >= DxNode.ReadLimit(block.Bytes, entriesOffset);

    public DxEntry Current => DxNode.Read(block.Bytes, entriesOffset, At);

    /// <summary>The last entry whose hash is at most <paramref name="hash"/>.</summary>
    public static int Search(ReadOnlySpan<byte> bytes, int entriesOffset, uint hash)
    {
        int low = 1;
        int high = DxNode.ReadCount(bytes, entriesOffset);
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (DxNode.Read(bytes, entriesOffset, middle).Hash <= hash)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }
}

/// <summary>The way from the root of a hash tree to a leaf; keeps its blocks pinned until it is disposed.</summary>
internal sealed class HashPath : IDisposable
{
    private readonly List<HashFrame> _frames = [];

    public required DxRoot Root { get; init; }

    public int Depth => _frames.Count;

    public HashFrame Bottom => _frames[^1];

    public HashFrame this[int level] => _frames[level];

    /// <summary>The leaf's place in the directory's file.</summary>
    public uint Leaf => Bottom.Current.Block;

    public void Push(HashFrame frame) => _frames.Add(frame);

    /// <summary>Drops the frames below <paramref name="level"/>.</summary>
    public void CutBelow(int level)
    {
        while (_frames.Count > level + 1)
        {
            _frames[^1].Block.Unpin();
            _frames.RemoveAt(_frames.Count - 1);
        }
    }

    public void Dispose() => CutBelow(-1);
}

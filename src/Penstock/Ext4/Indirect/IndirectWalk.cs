using Penstock.Ext4.Format;
using Penstock.Journal;

namespace Penstock.Ext4.Indirect;

/// <summary>
/// The way from i_block to the pointer of a file block: the indirect blocks that exist, pinned. Valid until the map is changed.
/// </summary>
internal sealed class IndirectWalk(ulong block, IndirectPath path)
{
    private readonly MetadataBlock?[] _nodes = new MetadataBlock?[IndirectMap.MaxLevels];

    public ulong Block => block;

    public IndirectPath Path => path;

    /// <summary>How many of the indirect blocks on the way exist.</summary>
    public int Found { get; private set; }

    /// <summary>Whether the pointer itself exists, in i_block or in the last indirect block.</summary>
    public bool IsComplete => Found == path.Levels;

    /// <summary>The indirect block of a level, counted from 0 below i_block.</summary>
    public MetadataBlock NodeAt(int level) => _nodes[level]!;

    public void Add(MetadataBlock node) => _nodes[Found++] = node;

    public void Release()
    {
        for (int level = 0; level < Found; level++)
        {
            _nodes[level]!.Unpin();
        }

        Found = 0;
    }
}

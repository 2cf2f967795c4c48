using Penstock.Execution;
using Penstock.Ext4.Format;
using Penstock.Journal;

namespace Penstock.Ext4.Extents;

/// <summary>
/// The way from the root of a tree to one of its leaves: at each level the node, pinned, and which entry was followed. Pooled; valid until the
/// tree is changed.
/// </summary>
internal sealed class ExtentPath
{
    private static readonly Pool<ExtentPath> s_pool = new(() => new ExtentPath());

    private readonly Step[] _steps = new Step[ExtentHeader.MaxDepth + 1];

    private ExtentPath()
    {
    }

    /// <summary>The level of the leaf: 0 where the root is one.</summary>
    public int Depth { get; private set; }

    /// <summary>The last entry of the leaf that starts at or before the block looked for; -1 if there is none.</summary>
    public int LeafIndex => _steps[Depth].Index;

    /// <summary>What the leaf must keep to, its range above all.</summary>
    public ExtentNode LeafRule => _steps[Depth].Rule;

    public static ExtentPath Rent() => s_pool.Rent();

    /// <summary>Adds the node of the next level; the root has no block.</summary>
    public void Add(int level, MetadataBlock? block, ExtentNode rule)
    {
        _steps[level] = new Step { Block = block, Rule = rule };
        Depth = level;
    }

    public MetadataBlock? BlockAt(int level) => _steps[level].Block;

    public ref int IndexAt(int level) => ref _steps[level].Index;

    public ExtentNode RuleAt(int level) => _steps[level].Rule;

    /// <summary>Unpins the nodes and returns the path to its pool.</summary>
    public void Release()
    {
        for (int level = 0; level <= Depth; level++)
        {
            _steps[level].Block?.Unpin();
            _steps[level] = default;
        }

        Depth = 0;
        s_pool.Return(this);
    }

    private struct Step
    {
        public MetadataBlock? Block;
        public ExtentNode Rule;
        public int Index;
    }
}

namespace Penstock.Ext4.Format;

/// <summary>The index of a block group on an ext2/3/4 volume.</summary>
internal readonly record struct BlockGroup(uint Value)
{
    public override string ToString() => $"group {Value}";
}

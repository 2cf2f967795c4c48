namespace Penstock.Ext4.Format;

/// <summary>The steps from i_block to a file block: a slot, and an index in each indirect block on the way.</summary>
/// <param name="Slot">The slot of i_block.</param>
/// <param name="Levels">How many indirect blocks lie between: 0 to 3.</param>
/// <param name="First">The index in the first of them.</param>
/// <param name="Second">The index in the second.</param>
/// <param name="Third">The index in the third.</param>
internal readonly record struct IndirectPath(uint Slot, int Levels, uint First, uint Second, uint Third)
{
    /// <summary>The index in the indirect block of <paramref name="level"/>, counted from 0 below i_block.</summary>
    public uint this[int level] => level switch
    {
        0 => First,
        1 => Second,
        _ => Third,
    };
}

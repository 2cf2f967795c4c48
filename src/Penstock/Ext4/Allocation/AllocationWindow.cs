using Penstock.Ext4.Format;

namespace Penstock.Ext4.Allocation;

/// <summary>
/// Free clusters after the end of a growing file that others stay away from while they find room elsewhere, so that the file stays
/// contiguous. A hint in memory: it takes nothing off any account, and when space is short nobody respects it.
/// </summary>
internal sealed class AllocationWindow
{
    /// <summary>The group, or null while the window is not set. Guarded by that group's latch.</summary>
    public Group? Group { get; set; }

    /// <summary>The clusters. Guarded by the group's latch.</summary>
    public ClusterRange Range { get; set; }

    public override string ToString() => Group is { } group ? $"{group}, clusters {Range.First}+{Range.Count}" : "none";
}

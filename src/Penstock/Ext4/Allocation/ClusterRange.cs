namespace Penstock.Ext4.Allocation;

/// <summary>Consecutive clusters of one group, by their bits in its bitmap.</summary>
internal readonly record struct ClusterRange(uint First, uint Count)
{
    public uint End => First + Count;

    public bool Overlaps(ClusterRange other) => First < other.End && other.First < End;
}

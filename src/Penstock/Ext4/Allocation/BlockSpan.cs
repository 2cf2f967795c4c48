using Penstock.Mapping;

namespace Penstock.Ext4.Allocation;

/// <summary>Consecutive blocks of the volume.</summary>
internal readonly record struct BlockSpan(VolumeBlock First, ulong Count)
{
    public VolumeBlock End => First + Count;
}

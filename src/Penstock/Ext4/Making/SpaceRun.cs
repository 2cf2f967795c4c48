using Penstock.Mapping;

namespace Penstock.Ext4.Making;

/// <summary>Consecutive blocks of a volume in the making.</summary>
/// <param name="First">The first block.</param>
/// <param name="Count">How many.</param>
internal readonly record struct SpaceRun(VolumeBlock First, ulong Count)
{
    public VolumeBlock End => First + Count;
}

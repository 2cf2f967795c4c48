namespace Penstock.Mapping;

/// <summary>A position on the volume, in volume blocks.</summary>
internal readonly record struct VolumeBlock(ulong Value) : IComparable<VolumeBlock>
{
    public static VolumeBlock operator +(VolumeBlock block, ulong count) => new(block.Value + count);

    public static ulong operator -(VolumeBlock a, VolumeBlock b) => a.Value - b.Value;

    public static bool operator <(VolumeBlock a, VolumeBlock b) => a.Value < b.Value;

    public static bool operator >(VolumeBlock a, VolumeBlock b) => a.Value > b.Value;

    public static bool operator <=(VolumeBlock a, VolumeBlock b) => a.Value <= b.Value;

    public static bool operator >=(VolumeBlock a, VolumeBlock b) => a.Value >= b.Value;

    public int CompareTo(VolumeBlock other) => Value.CompareTo(other.Value);

    public override string ToString() => $"block {Value}";
}

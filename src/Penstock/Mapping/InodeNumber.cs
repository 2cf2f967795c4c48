namespace Penstock.Mapping;

/// <summary>The number of an inode on its volume; 0 is none.</summary>
internal readonly record struct InodeNumber(ulong Value) : IComparable<InodeNumber>
{
    public bool IsNone => Value == 0;

    public int CompareTo(InodeNumber other) => Value.CompareTo(other.Value);

    public override string ToString() => $"inode {Value}";
}

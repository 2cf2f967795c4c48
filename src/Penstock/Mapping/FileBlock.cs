namespace Penstock.Mapping;

/// <summary>A position in a file, in volume blocks. A format may allow fewer.</summary>
internal readonly record struct FileBlock(ulong Value) : IComparable<FileBlock>
{
    public static FileBlock operator +(FileBlock block, ulong count) => new(block.Value + count);

    public static ulong operator -(FileBlock a, FileBlock b) => a.Value - b.Value;

    public static bool operator <(FileBlock a, FileBlock b) => a.Value < b.Value;

    public static bool operator >(FileBlock a, FileBlock b) => a.Value > b.Value;

    public static bool operator <=(FileBlock a, FileBlock b) => a.Value <= b.Value;

    public static bool operator >=(FileBlock a, FileBlock b) => a.Value >= b.Value;

    public int CompareTo(FileBlock other) => Value.CompareTo(other.Value);

    public override string ToString() => $"file block {Value}";
}

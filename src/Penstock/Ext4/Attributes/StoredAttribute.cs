using System.Text;
using Penstock.Ext4.Format;
using Penstock.Files;

namespace Penstock.Ext4.Attributes;

/// <summary>The name of an extended attribute as the volume stores it: the number of its prefix, and the rest.</summary>
internal readonly record struct StoredName(AttributeNamespace Space, ReadOnlyMemory<byte> Suffix) : IComparable<StoredName>
{
    /// <summary>The value of inline_data's second part.</summary>
    public static readonly StoredName InlineContents = new(AttributeNamespace.System, "data"u8.ToArray());

    /// <summary>Whether programs may see the attribute.</summary>
    public bool IsVisible => Space is not (AttributeNamespace.System or AttributeNamespace.Encryption or AttributeNamespace.None);

    /// <summary>Whether the value is an access control list.</summary>
    public bool IsAcl => Space is AttributeNamespace.PosixAclAccess or AttributeNamespace.PosixAclDefault;

    /// <summary>False for a prefix that the format has no number for.</summary>
    public static bool TryFrom(FileName name, out StoredName stored)
    {
        // Latin 1 takes every byte there and back, whatever the encoding of the name is.
        bool isKnown = AttributeName.TrySplit(Encoding.Latin1.GetString(name.Bytes), out AttributeNamespace space, out string suffix);
        stored = new StoredName(space, Encoding.Latin1.GetBytes(suffix));
        return isKnown;
    }

    /// <summary>The full name, or null where it has none that programs could use.</summary>
    public FileName? ToFileName()
    {
        byte[]? full = AttributeName.Join(Space, Encoding.Latin1.GetString(Suffix.Span)) is { } joined ? Encoding.Latin1.GetBytes(joined) : null;
        return IsVisible && full is { Length: > 0 and <= FileName.MaxLength } && full.AsSpan().IndexOfAny((byte)0, (byte)'/') < 0
            ? FileName.From(full)
            : null;
    }

    public bool Is(AttributeEntry entry, ReadOnlySpan<byte> area) => entry.Namespace == Space && entry.NameIn(area).SequenceEqual(Suffix.Span);

    public bool Equals(StoredName other) => Space == other.Space && Suffix.Span.SequenceEqual(other.Suffix.Span);

    public override int GetHashCode() => ((int)Space << 8) | Suffix.Length;

    /// <summary>The order of entries in a block: by prefix, by length, by bytes.</summary>
    public int CompareTo(StoredName other)
    {
        int bySpace = Space.CompareTo(other.Space);
        int byLength = bySpace != 0 ? bySpace : Suffix.Length.CompareTo(other.Suffix.Length);
        return byLength != 0 ? byLength : Suffix.Span.SequenceCompareTo(other.Suffix.Span);
    }
}

/// <summary>One extended attribute, out of its area.</summary>
/// <param name="Name">The stored name.</param>
/// <param name="Value">The value; empty if it lies in an inode.</param>
/// <param name="ValueInode">The inode that holds the value, or 0.</param>
/// <param name="ValueSize">The size of the value, wherever it lies.</param>
/// <param name="Hash">The hash of an entry whose value lies in an inode.</param>
internal sealed record StoredAttribute(StoredName Name, byte[] Value, uint ValueInode, uint ValueSize, uint Hash)
{
    public StoredAttribute(StoredName name, byte[] value)
        : this(name, value, 0, (uint)value.Length, 0)
    {
    }

    /// <summary>Bytes the attribute takes of an area.</summary>
    public int Size => AttributeEntry.LengthFor(Name.Suffix.Length) + AttributeEntry.Align(Value.Length);
}

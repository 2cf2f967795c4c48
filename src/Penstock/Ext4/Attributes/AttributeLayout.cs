using Penstock.Ext4.Format;

namespace Penstock.Ext4.Attributes;

/// <summary>Writes attributes into an area: entries from its start, values from its end.</summary>
internal static class AttributeLayout
{
    public static bool Fits(List<StoredAttribute> attributes, int areaLength, int firstEntry) =>
        attributes.Sum(static a => a.Size) + AttributeEntry.TerminatorSize <= areaLength - firstEntry;

    /// <summary>Writes attributes that fit; in a block sorted and with hashes, in an inode as they come.</summary>
    public static void Write(Span<byte> area, int firstEntry, List<StoredAttribute> attributes, bool isBlock)
    {
        area[firstEntry..].Clear();
        if (isBlock)
        {
            attributes.Sort(static (a, b) => a.Name.CompareTo(b.Name));
        }

        int offset = firstEntry;
        int valueStart = area.Length;
        foreach (StoredAttribute attribute in attributes)
        {
            if (attribute.Value.Length > 0)
            {
                valueStart -= AttributeEntry.Align(attribute.Value.Length);
                attribute.Value.CopyTo(area[valueStart..]);
            }

            ReadOnlySpan<byte> suffix = attribute.Name.Suffix.Span;
            var entry = new AttributeEntry(
                offset,
                (byte)suffix.Length,
                attribute.Name.Space,
                (ushort)(attribute.Value.Length > 0 ? valueStart : 0),
                attribute.ValueInode,
                attribute.ValueSize,
                HashOf(attribute, isBlock));
            entry.WriteTo(area, suffix);
            offset += entry.Length;
        }
    }

    private static uint HashOf(StoredAttribute attribute, bool isBlock)
    {
        if (attribute.ValueInode != 0)
        {
            return attribute.Hash;
        }

        return isBlock ? AttributeEntry.ComputeHash(attribute.Name.Suffix.Span, attribute.Value) : 0;
    }
}

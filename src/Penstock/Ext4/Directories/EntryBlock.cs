using Penstock.Ext4.Format;

namespace Penstock.Ext4.Directories;

/// <summary>Where an entry was found.</summary>
/// <param name="Offset">Where it begins in its bytes.</param>
/// <param name="Previous">Where the entry before it begins, or -1.</param>
/// <param name="Entry">The entry.</param>
internal readonly record struct FoundEntry(int Offset, int Previous, DirectoryEntry Entry);

/// <summary>
/// Finding, adding and removing among the entries of one stretch of bytes: a block without its tail, or a part of an inline directory.
/// The bytes have been checked. Knows no I/O and no checksums.
/// </summary>
internal static class EntryBlock
{
    /// <summary>Finds a name.</summary>
    public static FoundEntry? Find(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> name, CaseRule rule = CaseRule.Exact)
    {
        int previous = -1;
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(bytes, bytes.Length))
        {
            if (entry.IsUsed && IsSame(entry.NameIn(bytes), name, rule))
            {
                return new FoundEntry(entry.Offset, previous, entry);
            }

            previous = entry.Offset;
        }

        return null;
    }

    /// <summary>Whether an entry for a name of <paramref name="nameLength"/> bytes fits.</summary>
    public static bool HasRoom(ReadOnlySpan<byte> bytes, int nameLength)
    {
        int needed = DirectoryEntry.LengthFor(nameLength);
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(bytes, bytes.Length))
        {
            if (entry.RecordLength - entry.NeededLength >= needed)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Adds an entry where the first gap is wide enough; false if none is.</summary>
    public static bool TryAdd(Span<byte> bytes, ReadOnlySpan<byte> name, uint inode, DirectoryFileType type)
    {
        int needed = DirectoryEntry.LengthFor(name.Length);
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(bytes, bytes.Length))
        {
            int own = entry.NeededLength;
            if (entry.RecordLength - own < needed)
            {
                continue;
            }

            if (own > 0)
            {
                DirectoryEntry.WriteRecordLength(bytes, entry.Offset, own);
            }

            DirectoryEntry.Write(bytes, entry.Offset + own, inode, entry.RecordLength - own, name, type);
            return true;
        }

        return false;
    }

    /// <summary>Removes an entry: its room goes to the one before it, or it stays as a free one at the start.</summary>
    public static void Remove(Span<byte> bytes, FoundEntry found)
    {
        if (found.Previous < 0)
        {
            DirectoryEntry.WriteInode(bytes, found.Offset, 0);
            return;
        }

        DirectoryEntry before = DirectoryEntry.Read(bytes, found.Previous);
        DirectoryEntry.WriteRecordLength(bytes, found.Previous, before.RecordLength + found.Entry.RecordLength);
    }

    /// <summary>Whether there is nothing but free entries, "." and "..".</summary>
    public static bool IsEmpty(ReadOnlySpan<byte> bytes)
    {
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(bytes, bytes.Length))
        {
            if (entry.IsUsed && !IsDotOrDotDot(entry.NameIn(bytes)))
            {
                return false;
            }
        }

        return true;
    }

    public static bool IsDotOrDotDot(ReadOnlySpan<byte> name) => name.SequenceEqual("."u8) || name.SequenceEqual(".."u8);

    private static bool IsSame(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, CaseRule rule) =>
        a.SequenceEqual(b) || (rule == CaseRule.Folded && CaseFolding.IsSame(a, b));
}

/// <summary>How names are compared.</summary>
internal enum CaseRule : byte
{
    Exact,

    /// <summary>In a casefold directory.</summary>
    Folded,
}

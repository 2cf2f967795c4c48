using Penstock.Ext4.Format;
using Penstock.Files;

namespace Penstock.Ext4;

/// <summary>Between i_flags and the flags that the layers above every format know.</summary>
internal static class InodeFlagMap
{
    private static readonly (InodeFlags Stored, FileFlags Known)[] s_pairs =
    [
        (InodeFlags.Immutable, FileFlags.Immutable),
        (InodeFlags.AppendOnly, FileFlags.AppendOnly),
        (InodeFlags.NoAccessTime, FileFlags.NoAccessTime),
        (InodeFlags.Synchronous, FileFlags.Synchronous),
        (InodeFlags.JournalContents, FileFlags.DataJournalled),
        (InodeFlags.Encrypted, FileFlags.Encrypted),
        (InodeFlags.Verity, FileFlags.Verity),
    ];

    public static FileFlags ToFileFlags(InodeFlags stored)
    {
        FileFlags known = FileFlags.None;
        foreach ((InodeFlags bit, FileFlags flag) in s_pairs)
        {
            known |= (stored & bit) != 0 ? flag : FileFlags.None;
        }

        return known;
    }

    /// <summary>The flags <paramref name="stored"/> with those that the layers above know set as they say.</summary>
    public static InodeFlags Apply(InodeFlags stored, FileFlags known)
    {
        foreach ((InodeFlags bit, FileFlags flag) in s_pairs)
        {
            stored = (known & flag) != 0 ? stored | bit : stored & ~bit;
        }

        return stored;
    }
}

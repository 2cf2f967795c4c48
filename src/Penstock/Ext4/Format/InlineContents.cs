namespace Penstock.Ext4.Format;

/// <summary>
/// Where the contents of an inline_data inode lie: the first 60 bytes in i_block, the rest in the value of the attribute system.data, which is
/// there, empty even, for every such inode. A directory begins with its parent's number instead of "." and "..".
/// See https://docs.kernel.org/filesystems/ext4/dynamic.html#inline-data.
/// </summary>
internal static class InlineContents
{
    /// <summary>Bytes of a directory before its entries: the number of its parent.</summary>
    public const int DirectoryHeadSize = 4;

    /// <summary>How much of a size lies in i_block.</summary>
    public static int InBlockField(ulong size) => (int)Math.Min(size, InodeRecord.BlockFieldSize);

    /// <summary>How much of a size lies in the attribute.</summary>
    public static ulong InAttribute(ulong size) => size > InodeRecord.BlockFieldSize ? size - InodeRecord.BlockFieldSize : 0;

    /// <summary>Whether an inode's attribute value can hold what its size says.</summary>
    /// <exception cref="CorruptVolumeException">It cannot.</exception>
    public static void CheckSize(ulong size, int attributeSize, Mapping.InodeNumber inode) =>
        FormatCheck.Require(InAttribute(size) <= (ulong)attributeSize, "inode", inode, "i_size", $"{size} with {attributeSize} inline bytes after the first 60");
}

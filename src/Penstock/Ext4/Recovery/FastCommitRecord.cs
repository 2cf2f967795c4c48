using Penstock.Ext4.Format;
using Penstock.Mapping;

namespace Penstock.Ext4.Recovery;

/// <summary>
/// Makes an inode's record of what the volume has and what a fast commit tells. A fast commit has no block numbers of a map, and is silent on how
/// a directory is laid out: those fields stay the volume's.
/// </summary>
internal static class FastCommitRecord
{
    private const int SizeOffset = 0x04;
    private const int HighSizeOffset = 0x6C;
    private const int DeletionTimeOffset = 0x14;
    private const int BlocksOffset = 0x1C;
    private const int HighBlocksOffset = 0x74;
    private const int BlockFieldOffset = 0x28;
    private const InodeFlags Layout = InodeFlags.Index | InodeFlags.Extents | InodeFlags.InlineContents | InodeFlags.HugeFile;

    /// <summary>The record of an inode that the volume does not have yet.</summary>
    /// <param name="told">What the fast commit has of it.</param>
    /// <param name="inodeSize">Bytes of an inode of the volume.</param>
    /// <exception cref="CorruptVolumeException">It is of a kind that no fast commit can tell of.</exception>
    public static InodeRecord Make(FastCommitInode told, int inodeSize)
    {
        InodeRecord made = InodeRecord.Create(inodeSize);
        told.Record!.Value.Span.CopyTo(made.Bytes);
        made.DeletionTime = 0;
        LittleEndian.U32(made.Bytes, BlocksOffset, 0);
        LittleEndian.U16(made.Bytes, HighBlocksOffset, 0);
        made.Flags &= ~(InodeFlags.HugeFile | InodeFlags.Index);
        if (made.Is(InodeFlags.Extents))
        {
            Extents.ExtentTree.WriteEmptyRoot(made.BlockField);
        }
        else if (made.Kind is InodeKind.Regular or InodeKind.Directory && !made.Is(InodeFlags.InlineContents))
        {
            throw new CorruptVolumeException("fast commit", $"inode {told.Number.Value}", "i_flags", "no extents and no inline contents");
        }

        if (made.IsDirectory && !made.Is(InodeFlags.InlineContents))
        {
            made.Size = 0;
        }

        return made;
    }

    /// <summary>Takes into a record that the volume has what a fast commit tells.</summary>
    public static void Merge(FastCommitInode told, InodeRecord record)
    {
        InodeRecord before = record.Clone();
        ReadOnlySpan<byte> bytes = told.Record!.Value.Span;
        bytes.CopyTo(record.Bytes);
        bool isInline = before.Is(InodeFlags.InlineContents) && record.Is(InodeFlags.InlineContents) && !before.IsDirectory;
        if (!isInline)
        {
            // Where the contents lie in the inode the record has all of it, the attributes too.
            Keep(before, record, BlockFieldOffset, InodeRecord.BlockFieldSize);
            Keep(before, record, InodeRecord.MinSize + before.ExtraSize, before.InodeSize - InodeRecord.MinSize - before.ExtraSize);
        }

        Keep(before, record, DeletionTimeOffset, sizeof(uint));
        Keep(before, record, BlocksOffset, sizeof(uint));
        Keep(before, record, HighBlocksOffset, sizeof(ushort));
        InodeFlags layout = before.IsDirectory ? Layout : Layout & ~InodeFlags.Index;
        record.Flags = (record.Flags & ~layout) | (before.Flags & layout);
        if (before.IsDirectory)
        {
            Keep(before, record, SizeOffset, sizeof(uint));
            Keep(before, record, HighSizeOffset, sizeof(uint));
        }
    }

    private static void Keep(InodeRecord before, InodeRecord record, int offset, int length)
    {
        if (length > 0)
        {
            before.Bytes.Slice(offset, length).CopyTo(record.Bytes[offset..]);
        }
    }
}

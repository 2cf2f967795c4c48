using System.Runtime.CompilerServices;

namespace Penstock.Ext4.Format;

/// <summary>
/// A linear block of a directory: check it once when it is read, then walk its entries without fear. Index blocks of a hashed directory
/// look like blocks of one free entry and are <see cref="DxNode"/>s.
/// </summary>
internal static class DirectoryBlock
{
    /// <summary>Checks every entry and, with metadata_csum, the tail.</summary>
    /// <param name="block">The whole block, or the inline part of a directory with <paramref name="isInline"/>.</param>
    /// <param name="format">What the volume and the directory's flags demand.</param>
    /// <param name="location">The directory and the block.</param>
    /// <param name="inodeSeed">The seed of the directory's inode.</param>
    /// <param name="isInline">Whether these bytes lie in the inode, where there is no tail.</param>
    /// <exception cref="CorruptVolumeException">The block is damaged.</exception>
    public static void Check(
        ReadOnlySpan<byte> block, in DirectoryFormat format, InodeBlockLocation location, uint inodeSeed, bool isInline = false)
    {
        int end = block.Length;
        if (format.HasChecksum && !isInline)
        {
            Require(DirectoryTail.IsPresent(block), location, "det_reserved_ft", $"no checksum entry at the end of the block");
            uint stored = DirectoryTail.ReadChecksum(block);
            uint computed = DirectoryTail.Compute(block, inodeSeed);
            Require(stored == computed, location, "det_checksum", $"0x{stored:x8}, computed 0x{computed:x8}");
            end -= DirectoryTail.Size;
        }

        int offset = 0;
        while (offset < end)
        {
            Require(end - offset >= DirectoryEntry.HeaderSize, location, "rec_len", $"too long before offset {offset}");
            DirectoryEntry entry = DirectoryEntry.Read(block, offset);
            CheckEntry(block, entry, end, format, location);
            offset = entry.End;
        }
    }

    /// <summary>The entries of a checked block, free ones too, the checksum entry not.</summary>
    public static Entries EntriesOf(ReadOnlySpan<byte> block, int usableBytes) => new(block[..usableBytes]);

    /// <summary>Makes a block of one free entry, and the tail if there is to be one (its checksum comes with the last change).</summary>
    public static void Clear(Span<byte> block, in DirectoryFormat format)
    {
        block.Clear();
        DirectoryEntry.Write(block, 0, 0, format.UsableBytes(block.Length), default, DirectoryFileType.Unknown);
        if (format.HasChecksum)
        {
            DirectoryTail.Write(block, 0);
        }
    }

    private static void CheckEntry(
        ReadOnlySpan<byte> block, DirectoryEntry entry, int end, in DirectoryFormat format, InodeBlockLocation location)
    {
        int length = entry.RecordLength;
        int needed = DirectoryEntry.LengthFor(entry.NameLength + (entry.IsUsed ? format.StoredHashSize : 0));
        Require(
            length % DirectoryEntry.Alignment == 0 && length >= DirectoryEntry.LengthFor(1) && length <= end - entry.Offset, location, "rec_len",
            $"{length} at offset {entry.Offset}");
        Require(needed <= length, location, "name_len", $"{entry.NameLength} with rec_len {length} at offset {entry.Offset}");
        Require(entry.Inode <= format.InodeCount, location, "inode", $"{entry.Inode} at offset {entry.Offset}");
        if (!entry.IsUsed)
        {
            return;
        }

        ReadOnlySpan<byte> name = entry.NameIn(block);
        Require(name.Length > 0, location, "name_len", $"0 at offset {entry.Offset}");
        Require(format.HasFileType || entry.FileType == 0, location, "name_len", $"more than 255 at offset {entry.Offset}");
        bool isPossible = format.HasEncryptedNames || name.IndexOfAny((byte)0, (byte)'/') < 0;
        Require(isPossible, location, "name", $"with a slash or a zero at offset {entry.Offset}");
    }

    private static void Require(
        bool holds, InodeBlockLocation location, string field, [InterpolatedStringHandlerArgument(nameof(holds))] FoundValue found) =>
        FormatCheck.Require(holds, "directory block", location, field, found);

    /// <summary>Walks the entries of a checked block.</summary>
    internal ref struct Entries(ReadOnlySpan<byte> block)
    {
        private readonly ReadOnlySpan<byte> block = block;
        private DirectoryEntry current;

        public readonly DirectoryEntry Current => current;

        public readonly Entries GetEnumerator() => this;

        public bool MoveNext()
        {
            int next = current.End;
            if (next >= block.Length)
            {
                return false;
            }

            current = DirectoryEntry.Read(block, next);
            return true;
        }
    }
}

using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Directories;

/// <summary>
/// Reads a directory block by block. A position is the byte after an entry: entries never move while there is no tree, and one that
/// grew over the position is skipped by walking its block from the start.
/// </summary>
internal sealed class BlockOrderReader(Ext4Directory directory, DirectoryFile file, InlineDirectory inline)
{
    public async ValueTask ReadAsync(ulong position, IDirectorySink sink)
    {
        if (directory.Inode.HasInlineData)
        {
            ReadInline(position, sink);
            return;
        }

        const uint Ahead = 8;
        uint count = file.Count;
        ulong first = position / (uint)file.BlockSize;
        for (uint index = (uint)Math.Min(first, count); index < count; index++)
        {
            if (index % Ahead == 0 || index == first)
            {
                file.Prefetch(index, Math.Min(Ahead, count - index));
            }

            if (await directory.TryGetLeafAsync(index).ConfigureAwait(false) is not { } leaf)
            {
                continue;
            }

            bool goesOn = Tell(leaf.Bytes[..file.UsableBytes], (ulong)index * (uint)file.BlockSize, position, sink);
            leaf.Unpin();
            if (!goesOn)
            {
                return;
            }
        }
    }

    private void ReadInline(ulong position, IDirectorySink sink)
    {
        // "." and ".." have no entries: positions 1 and 2 follow them, and the parts come at their own offsets, moved up by two.
        const uint Shift = 2;
        (byte[] contents, int firstStart, int secondStart) = inline.Open();
        if ((position < 1 && !sink.Add("."u8, directory.Inode.Number, FileKind.Directory, 1))
            || (position < 2 && !sink.Add(".."u8, new InodeNumber(inline.Parent), FileKind.Directory, 2)))
        {
            return;
        }

        _ = Tell(contents.AsSpan(firstStart, secondStart - firstStart), Shift + (uint)firstStart, position, sink)
            && Tell(contents.AsSpan(secondStart), Shift + (uint)secondStart, position, sink);
    }

    private static bool Tell(ReadOnlySpan<byte> bytes, ulong start, ulong position, IDirectorySink sink)
    {
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(bytes, bytes.Length))
        {
            if (entry.IsUsed && start + (uint)entry.Offset >= position
                && !sink.Add(entry.NameIn(bytes), new InodeNumber(entry.Inode), EntryKind.FromType(entry.FileType), start + (uint)entry.End))
            {
                return false;
            }
        }

        return true;
    }
}

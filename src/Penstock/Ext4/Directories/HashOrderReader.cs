using Penstock.Ext4.Format;
using Penstock.Files;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Directories;

/// <summary>
/// Reads a directory by rising hash, so that a position stays good whatever is added, removed or split meanwhile, and while an inline
/// or single-block directory becomes a tree.
/// </summary>
/// <remarks>
/// Positions: 0 is ".", 1 is "..", and the rest are 31 bits of the major hash over 32 bits of the minor, plus 2. Where the hash has no minor
/// (legacy), a checksum of the name stands in. Entries with one position are told together; reading goes on behind the last of them.
/// </remarks>
internal sealed class HashOrderReader(Ext4Directory directory, DirectoryFile file, HashTree tree, InlineDirectory inline)
{
    private const ulong FirstHashPosition = 2;
    private const int MaxChain = 1 << 20;

    private readonly List<OrderedEntry> _entries = [];

    public async ValueTask ReadAsync(ulong position, IDirectorySink sink)
    {
        if (position == 0 && !sink.Add("."u8, directory.Inode.Number, FileKind.Directory, 1))
        {
            return;
        }

        if (position <= 1)
        {
            InodeNumber parent = await directory.GetParentAsync().ConfigureAwait(false);
            if (!sink.Add(".."u8, parent, FileKind.Directory, FirstHashPosition))
            {
                return;
            }
        }

        ulong from = Math.Max(position, FirstHashPosition);
        if (directory.Inode.HasInlineData)
        {
            ReadInline(from, sink);
        }
        else if (directory.IsIndexed)
        {
            await ReadTreeAsync(from, sink).ConfigureAwait(false);
        }
        else
        {
            await ReadBlockAsync(from, sink).ConfigureAwait(false);
        }
    }

    private void ReadInline(ulong from, IDirectorySink sink)
    {
        (byte[] contents, int firstStart, int secondStart) = inline.Open();
        DirectoryHashVersion version = file.Volume.Superblock.DefaultHashVersion;
        Collect(contents.AsSpan(firstStart, secondStart - firstStart), version, from);
        Collect(contents.AsSpan(secondStart), version, from);
        Tell(sink);
    }

    private async ValueTask ReadBlockAsync(ulong from, IDirectorySink sink)
    {
        MetadataBlock block = await file.GetLeafAsync(0).ConfigureAwait(false);
        Collect(block.Bytes[..file.UsableBytes], file.Volume.Superblock.DefaultHashVersion, from);
        block.Unpin();
        Tell(sink);
    }

    private async ValueTask ReadTreeAsync(ulong from, IDirectorySink sink)
    {
        uint hash = (uint)((from - FirstHashPosition) >> 32) << 1;
        using HashPath path = await tree.ProbeAsync(hash).ConfigureAwait(false);
        bool isEnd = false;
        while (!isEnd)
        {
            _entries.Clear();
            bool isContinued;
            do
            {
                MetadataBlock leaf = await tree.GetLeafAsync(path).ConfigureAwait(false);
                Collect(leaf.Bytes[..file.UsableBytes], path.Root.HashVersion, from);
                leaf.Unpin();

                // Names of one hash in several leaves are put in order together.
                isContinued = HashTree.PeekNext(path) is { } next && (next & HashTree.ContinuedBit) != 0 && _entries.Count < MaxChain;
                isEnd = await tree.AdvanceAsync(path).ConfigureAwait(false) is null;
            }
            while (isContinued);

            if (!Tell(sink))
            {
                return;
            }
        }
    }

    private void Collect(ReadOnlySpan<byte> bytes, DirectoryHashVersion version, ulong from)
    {
        bool hasMinor = version != DirectoryHashVersion.Legacy;
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(bytes, bytes.Length))
        {
            if (!entry.IsUsed || EntryBlock.IsDotOrDotDot(entry.NameIn(bytes)))
            {
                continue;
            }

            ReadOnlySpan<byte> name = entry.NameIn(bytes);
            DirectoryHash hash = tree.HashOf(name, version);
            uint minor = hasMinor ? hash.Minor : Crc32C.Append(Crc32C.Start, name);
            ulong position = (((ulong)(hash.Major >> 1) << 32) | minor) + FirstHashPosition;
            if (position >= from)
            {
                _entries.Add(new OrderedEntry(position, name.ToArray(), entry.Inode, EntryKind.FromType(entry.FileType)));
            }
        }
    }

    private bool Tell(IDirectorySink sink)
    {
        _entries.Sort(static (a, b) => a.CompareTo(b));
        for (int i = 0; i < _entries.Count; i++)
        {
            OrderedEntry entry = _entries[i];
            bool isLastOfPosition = i + 1 == _entries.Count || _entries[i + 1].Position != entry.Position;
            ulong next = isLastOfPosition ? entry.Position + 1 : entry.Position;
            if (!sink.Add(entry.Name, new InodeNumber(entry.Inode), entry.Kind, next))
            {
                return false;
            }
        }

        return true;
    }

    private readonly record struct OrderedEntry(ulong Position, byte[] Name, uint Inode, FileKind Kind)
    {
        public int CompareTo(OrderedEntry other) =>
            Position != other.Position ? Position.CompareTo(other.Position) : Name.AsSpan().SequenceCompareTo(other.Name);
    }
}

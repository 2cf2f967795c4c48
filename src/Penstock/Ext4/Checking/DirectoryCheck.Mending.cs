using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Mapping;

namespace Penstock.Ext4.Checking;

/// <summary>What a repair does to the blocks that are judged, in the buffer where they lie; who reads them writes those that are dirty.</summary>
internal sealed partial class DirectoryCheck
{
    private readonly DirectorySalvage _salvage = new(run);
    private readonly List<SavedName> _homeless = [];

    /// <summary>Whether the block that was judged last has been changed.</summary>
    public bool IsDirty { get; private set; }

    /// <summary>Puts another directory into "..": the block is the first one, and sound.</summary>
    public void MendParent(DirectoryRecord directory, Span<byte> block, uint parent)
    {
        _directory = directory;
        _seed = run.Checksum.IsUsed ? run.Checksum.SeedOf(new InodeNumber(directory.Inode), directory.Generation) : 0;
        DirectoryEntry self = DirectoryEntry.Read(block, 0);
        if (self.RecordLength <= block.Length - MinRecordLength)
        {
            DirectoryEntry.WriteInode(block, self.End, parent);
            WriteChecksum(block, (directory.Flags & InodeFlags.Index) != 0 && run.Has(CompatFeatures.DirIndex) ? BlockRole.Root : BlockRole.Leaf);
        }
    }

    /// <summary>Tells a problem; a repair is about to change the block then.</summary>
    private bool Mends(string place, string found)
    {
        bool mends = run.Mends(Structure, place, found);
        IsDirty |= mends;
        return mends;
    }

    private void TellHole()
    {
        if (run.Mends(Structure, $"inode {_directory.Inode}, block {_nextIndex}", "it is a hole"))
        {
            run.Repair!.Directories.Close(_directory.Inode);
        }
    }

    private bool MendsUnread(DirectoryPlace place) =>
        Mends($"inode {_directory.Inode}, block {place.Index}", $"block {place.Volume} of the volume cannot be read");

    /// <summary>Makes entries of a leaf fill it, with "." and ".." at the start of the first one and the checksum's entry at the end.</summary>
    private void MendStructure(Span<byte> block, uint index, BlockRole role)
    {
        bool hasTail = role == BlockRole.Leaf && run.Checksum.IsUsed;
        int end = block.Length - (hasTail ? DirectoryTail.Size : 0);
        if (role != BlockRole.Leaf || (DirectorySalvage.IsWhole(block, end, HashLength) && (!hasTail || DirectoryTail.IsPresent(block))
            && (index > 0 || HasDots(block, end))))
        {
            return;
        }

        if (hasTail && !DirectoryTail.IsPresent(block))
        {
            Mends($"inode {_directory.Inode}, block {index}", "it has no checksum");
        }
        else
        {
            Mends($"inode {_directory.Inode}, block {index}", "the entries are damaged");
        }

        Rebuild(block, end, index == 0 ? (_directory.Inode, ParentIn(block, end)) : null);
        if (hasTail)
        {
            DirectoryTail.Write(block, _seed);
        }
    }

    private void Rebuild(Span<byte> block, int end, (uint Self, uint Parent)? heads)
    {
        _homeless.Clear();
        _salvage.Rebuild(block, end, heads, _homeless);
        foreach (SavedName name in _homeless)
        {
            run.Repair!.Directories.AddLater(_directory.Inode, name);
        }
    }

    private static bool HasDots(ReadOnlySpan<byte> block, int end)
    {
        DirectoryEntry self = DirectoryEntry.Read(block, 0);
        if (!self.IsUsed || !self.NameIn(block).SequenceEqual("."u8) || self.End > end - MinRecordLength)
        {
            return false;
        }

        DirectoryEntry parent = DirectoryEntry.Read(block, self.End);
        return parent.IsUsed && parent.NameIn(block).SequenceEqual(".."u8);
    }

    /// <summary>What ".." says, if it can be found; else the root, until the directory's own name says better.</summary>
    private uint ParentIn(ReadOnlySpan<byte> block, int end)
    {
        foreach (int offset in (ReadOnlySpan<int>)[MinRecordLength, 0])
        {
            DirectoryEntry entry = DirectoryEntry.Read(block, offset);
            bool isParent = entry.NameLength == 2 && offset + MinRecordLength <= end && entry.NameIn(block).SequenceEqual(".."u8);
            if (isParent && !IsImpossible(entry.Inode) && run.Inodes.KindOf(entry.Inode) == DirectoryFileType.Directory)
            {
                return entry.Inode;
            }
        }

        return RootInode;
    }

    /// <summary>Puts right an entry that leads where it must not, or whose name is impossible.</summary>
    private void MendEntry(Span<byte> block, in DirectoryEntry entry)
    {
        Span<byte> name = block.Slice(entry.Offset + DirectoryEntry.HeaderSize, entry.NameLength);
        bool isEncrypted = (_directory.Flags & InodeFlags.Encrypted) != 0;
        bool leadsAnywhere = !IsImpossible(entry.Inode) && entry.Inode != RootInode && run.Inodes.IsUsed(entry.Inode)
            && (run.Inodes.TraitsOf(entry.Inode) & InodeTraits.Bad) == 0;
        if (!IsImpossible(entry.Inode) && entry.Inode != RootInode && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8) && !name.IsEmpty
            && IsInUnusedPart(entry.Inode))
        {
            run.Repair!.Directories.Widen((entry.Inode - 1) / run.Geometry.InodesPerGroup);
        }
        else if (leadsAnywhere && !isEncrypted && !name.IsEmpty && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
        {
            CleanName(name);
        }
        else
        {
            DirectoryEntry.WriteInode(block, entry.Offset, 0);
        }
    }

    private void CleanName(Span<byte> name)
    {
        bool isAscii = (_directory.Flags & InodeFlags.CaseFold) != 0;
        foreach (ref byte next in name)
        {
            next = next is 0 or (byte)'/' || (isAscii && next >= 0x80) ? (byte)'.' : next;
        }
    }

    /// <summary>Gives a name that is there twice another one; the same name of the same inode goes.</summary>
    private void Rename(Span<byte> block, in DirectoryEntry entry)
    {
        Span<byte> raw = block.Slice(entry.Offset + DirectoryEntry.HeaderSize, entry.RecordLength - DirectoryEntry.HeaderSize - HashLength);
        int room = Math.Min(raw.Length, DirectoryEntry.MaxNameLength);
        for (int i = 0; i < 100; i++)
        {
            byte[] suffix = System.Text.Encoding.ASCII.GetBytes($"~{i}");
            int length = Math.Min(entry.NameLength + suffix.Length, room);
            if (length < suffix.Length)
            {
                break;
            }

            byte[] name = [.. raw[..(length - suffix.Length)], .. suffix];
            if (_names.Add(name))
            {
                name.CopyTo(raw);
                block[entry.Offset + 6] = (byte)name.Length; // name_len
                return;
            }
        }

        DirectoryEntry.WriteInode(block, entry.Offset, 0);
    }

    private void WriteChecksum(Span<byte> block, BlockRole role)
    {
        if (!run.Checksum.IsUsed)
        {
            return;
        }

        if (role == BlockRole.Leaf)
        {
            DirectoryTail.Write(block, _seed);
        }
        else
        {
            int offset = role == BlockRole.Root ? DxRoot.EntriesOffset : DxNode.EntriesOffset;
            int limit = DxNode.ReadLimit(block, offset);
            if (limit == DxNode.LimitOf(block.Length, offset, true) && DxNode.ReadCount(block, offset) <= limit)
            {
                DxNode.WriteChecksum(block, offset, _seed);
            }
        }
    }
}

using System.Text;
using System.Text.Unicode;
using Penstock.Ext4.Format;
using Penstock.Ext4.Repairing;
using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Checking;

/// <summary>Judges one directory after the other, block by block in the order of its file. Used by one activity.</summary>
internal sealed partial class DirectoryCheck(CheckRun run)
{
    private const string Structure = "directory";
    private const int MinRecordLength = 12;
    private const int MinEncryptedName = 16;
    private const uint RootInode = 2;

    private readonly HashTreeCheck _tree = new(run);
    private readonly NameSet _names = new();
    private DirectoryRecord _directory = null!;
    private uint _seed;
    private uint _nextIndex;
    private bool _hasIndex;

    public void Start(DirectoryRecord directory)
    {
        _directory = directory;
        _nextIndex = 0;
        _seed = run.Checksum.IsUsed ? run.Checksum.SeedOf(new InodeNumber(directory.Inode), directory.Generation) : 0;
        _hasIndex = (directory.Flags & InodeFlags.Index) != 0 && directory.Places is not null && run.Has(CompatFeatures.DirIndex);
        if (_hasIndex)
        {
            _tree.Start(directory, _seed);
        }

        IsDirty = false;
        if (directory.Inline is { } inline)
        {
            CheckInline(inline.First, inline.Second);
        }
    }

    public void CheckBlock(DirectoryPlace place, Span<byte> block, bool isFailed)
    {
        // What lies between two places is a hole, which a directory must not have.
        if (place.Index > _nextIndex && place.Index < _directory.SizeInBlocks)
        {
            TellHole();
        }

        IsDirty = false;
        _nextIndex = place.Index + 1;
        if (isFailed && !MendsUnread(place))
        {
            return;
        }

        BlockRole role = _hasIndex ? _tree.RoleOf(block, place.Index) : BlockRole.Leaf;
        int end = block.Length;
        if (run.Repair is not null)
        {
            MendStructure(block, place.Index, role);
        }

        if (role == BlockRole.Leaf && run.Checksum.IsUsed)
        {
            end = CheckTail(block, place.Index);
        }

        _names.Start();
        bool isWhole = CheckEntries(block[..end], place.Index, 0, place.Index == 0 ? 0 : 2, role == BlockRole.Leaf);
        if (_hasIndex)
        {
            _tree.Add(block, place.Index, role, isWhole ? end : 0);
        }

        if (IsDirty)
        {
            WriteChecksum(block, role);
        }
    }

    public void Finish()
    {
        if (run.Repair is { } repair && _directory.Places is { Length: 0 })
        {
            repair.Note(Structure, $"inode {_directory.Inode}", "it is a directory without a block");
            repair.Directories.Furnish(_directory.Inode);
            return;
        }

        if (_directory.Inline is null && _nextIndex < _directory.SizeInBlocks)
        {
            TellHole();
        }

        if (_hasIndex && _tree.Finish() is { } fault && run.Mends("directory index", $"inode {_directory.Inode}", fault))
        {
            run.Repair!.Directories.Unindex(_directory.Inode);
        }
    }

    private int CheckTail(ReadOnlySpan<byte> block, uint index)
    {
        if (!DirectoryTail.IsPresent(block))
        {
            Report($"inode {_directory.Inode}, block {index}", "it has no checksum");
            return block.Length;
        }

        // What a repair has changed gets its checksum at the end.
        if (!IsDirty && DirectoryTail.ReadChecksum(block) != DirectoryTail.Compute(block, _seed))
        {
            IsDirty |= run.Mends(Structure, $"inode {_directory.Inode}, block {index}", "det_checksum does not match");
        }

        return block.Length - DirectoryTail.Size;
    }

    private void CheckInline(byte[] first, byte[] second)
    {
        uint parent = U32(first, 0);
        run.Inodes.Count(_directory.Inode);
        if (parent == 0 || parent > run.Geometry.InodeCount)
        {
            if (Mends($"inode {_directory.Inode}", $"its parent is inode {parent}"))
            {
                U32(first, 0, RootInode);
            }
        }
        else
        {
            run.Inodes.Count(parent);
        }

        _directory.DotDot = U32(first, 0);
        CheckInlinePart(first.AsSpan(InlineContents.DirectoryHeadSize), InlineContents.DirectoryHeadSize);
        CheckInlinePart(second, first.Length);
        if (IsDirty)
        {
            run.Repair!.Directories.StoreInline(_directory);
        }
    }

    private void CheckInlinePart(Span<byte> part, int origin)
    {
        if (part.Length == 0)
        {
            return;
        }

        if (run.Repair is not null && !DirectorySalvage.IsWhole(part, part.Length, HashLength))
        {
            Mends($"inode {_directory.Inode}, block 0, offset {origin}", "the entries are damaged");
            Rebuild(part, part.Length, null);
        }

        _names.Start();
        CheckEntries(part, 0, origin, 2, isLeaf: true);
    }

    /// <summary>Walks the entries of a block; false if they do not fill it as they should.</summary>
    private bool CheckEntries(Span<byte> block, uint index, int origin, int ordinal, bool isLeaf)
    {
        int offset = 0;
        while (offset < block.Length)
        {
            if (block.Length - offset < DirectoryEntry.HeaderSize)
            {
                return Corrupted(index, origin + offset);
            }

            DirectoryEntry entry = DirectoryEntry.Read(block, offset);
            int length = entry.RecordLength;
            int hash = entry.IsUsed && HasStoredHash && ordinal > 1 ? 8 : 0;
            bool isFitting = length >= MinRecordLength && length % 4 == 0 && length <= block.Length - offset
                && entry.NameLength + hash + DirectoryEntry.HeaderSize <= length;
            if (!isFitting)
            {
                return Corrupted(index, origin + offset);
            }

            if (isLeaf || ordinal < 2)
            {
                CheckEntry(block, entry, ordinal, index, origin);
            }

            ordinal++;
            offset = entry.End;
        }

        return true;
    }

    private int HashLength => HasStoredHash ? 8 : 0;

    private bool HasStoredHash => (_directory.Flags & InodeFlags.Encrypted) != 0 && (_directory.Flags & InodeFlags.CaseFold) != 0;

    private bool Corrupted(uint index, int offset)
    {
        Report($"inode {_directory.Inode}, block {index}, offset {offset}", "the entries are damaged");
        return false;
    }

    private void CheckEntry(Span<byte> block, in DirectoryEntry entry, int ordinal, uint index, int origin)
    {
        ReadOnlySpan<byte> name = entry.NameIn(block);
        if (ordinal == 0)
        {
            CheckDot(block, entry, name, index);
            return;
        }

        if (ordinal == 1)
        {
            CheckDotDot(block, entry, name, index);
            return;
        }

        if (!entry.IsUsed)
        {
            return;
        }

        if (FindFault(entry, name) is { } fault)
        {
            if (Mends($"inode {_directory.Inode}, block {index}, offset {origin + entry.Offset}", $"'{Show(name)}' {fault}"))
            {
                MendEntry(block, entry);
            }

            return;
        }

        CheckKind(block, entry, index, origin);
        if (!_names.Add(name))
        {
            if (Mends($"inode {_directory.Inode}, block {index}, offset {origin + entry.Offset}", $"'{Show(name)}' is there twice"))
            {
                Rename(block, entry);
            }
        }

        CountName(block, entry, name, index, origin);
    }

    private void CountName(Span<byte> block, in DirectoryEntry entry, ReadOnlySpan<byte> name, uint index, int origin)
    {
        run.Inodes.Count(entry.Inode);
        if (run.Inodes.KindOf(entry.Inode) != DirectoryFileType.Directory || run.Directories.Find(entry.Inode) is not { } child)
        {
            return;
        }

        uint before = Interlocked.CompareExchange(ref child.Parent, _directory.Inode, 0);
        bool isAnother = before != 0 && Mends(
            $"inode {_directory.Inode}, block {index}, offset {origin + entry.Offset}",
            $"'{Show(name)}' is another name of directory {entry.Inode}, which is in {before}");
        if (isAnother)
        {
            DirectoryEntry.WriteInode(block, entry.Offset, 0);
        }
    }

    private void CheckDot(Span<byte> block, in DirectoryEntry entry, ReadOnlySpan<byte> name, uint index)
    {
        bool isDot = entry.IsUsed && name.SequenceEqual("."u8);
        if (!isDot || entry.Inode != _directory.Inode)
        {
            bool mends = Mends($"inode {_directory.Inode}, block {index}, offset 0", isDot ? $"'.' leads to inode {entry.Inode}" : "'.' is missing");
            if (mends && isDot)
            {
                DirectoryEntry.WriteInode(block, entry.Offset, _directory.Inode);
            }
        }
        else
        {
            CheckEnd(block, entry, index);
            CheckKind(block, entry, index, 0);
        }

        run.Inodes.Count(_directory.Inode);
    }

    /// <summary>Behind "." and ".." comes a zero.</summary>
    private void CheckEnd(Span<byte> block, in DirectoryEntry entry, uint index)
    {
        ref byte end = ref block[entry.Offset + DirectoryEntry.HeaderSize + entry.NameLength];
        if (end != 0 && Mends($"inode {_directory.Inode}, block {index}, offset {entry.Offset}", "a dot entry does not end in a zero"))
        {
            end = 0;
        }
    }

    private void CheckDotDot(Span<byte> block, in DirectoryEntry entry, ReadOnlySpan<byte> name, uint index)
    {
        if (!entry.IsUsed || !name.SequenceEqual(".."u8))
        {
            Mends($"inode {_directory.Inode}, block {index}, offset {entry.Offset}", "'..' is missing");
            return;
        }

        CheckEnd(block, entry, index);
        _directory.DotDot = entry.Inode;
        if (IsImpossible(entry.Inode) || !run.Inodes.IsUsed(entry.Inode))
        {
            string place = $"inode {_directory.Inode}, block {index}, offset {entry.Offset}";
            if (Mends(place, $"'..' leads to inode {entry.Inode}, which is not in use"))
            {
                DirectoryEntry.WriteInode(block, entry.Offset, RootInode);
            }

            return;
        }

        CheckKind(block, entry, index, 0);
        run.Inodes.Count(entry.Inode);
    }

    private string? FindFault(in DirectoryEntry entry, ReadOnlySpan<byte> name)
    {
        if (IsImpossible(entry.Inode))
        {
            return $"leads to inode {entry.Inode}, which no name may";
        }

        if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
        {
            return "is there twice";
        }

        if (entry.Inode == RootInode)
        {
            return "is a link to the root";
        }

        if (name.IsEmpty)
        {
            return "has a name of no length";
        }

        InodeTraits traits = run.Inodes.TraitsOf(entry.Inode);
        if ((traits & InodeTraits.InUse) == 0 && !(run.Repair is not null && IsInUnusedPart(entry.Inode)))
        {
            return $"leads to inode {entry.Inode}, which is not in use";
        }

        if (IsInUnusedPart(entry.Inode))
        {
            return $"leads to inode {entry.Inode}, in the part of its table that is marked unused";
        }

        return (traits & InodeTraits.Bad) != 0 ? $"leads to inode {entry.Inode}, which is damaged" : FindBadName(name, traits);
    }

    private bool IsInUnusedPart(uint inode)
    {
        (uint group, uint place) = Math.DivRem(inode - 1, run.Geometry.InodesPerGroup);
        if (run.GroupChecksum.IsUsed && run.Descriptors[group].Is(GroupFlags.InodeUninit))
        {
            return true;
        }

        uint unused = run.Descriptors[group].UnusedInodes;
        return unused <= run.Geometry.InodesPerGroup && place >= run.Geometry.InodesPerGroup - unused;
    }

    private string? FindBadName(ReadOnlySpan<byte> name, InodeTraits traits)
    {
        bool isEncrypted = (_directory.Flags & InodeFlags.Encrypted) != 0;
        var kind = (DirectoryFileType)(traits & InodeTraits.KindMask);
        bool canBeEncrypted = kind is DirectoryFileType.Regular or DirectoryFileType.Directory or DirectoryFileType.SymbolicLink;
        if (isEncrypted)
        {
            return name.Length < MinEncryptedName ? "is too short for an encrypted name"
                : canBeEncrypted && (traits & InodeTraits.Encrypted) == 0 ? "leads to an inode that is not encrypted" : null;
        }

        if (name.IndexOfAny((byte)0, (byte)'/') >= 0)
        {
            return "has a slash or a zero in its name";
        }

        bool isFolded = (_directory.Flags & InodeFlags.CaseFold) != 0 && run.Has(IncompatFeatures.CaseFold);
        return isFolded && !Utf8.IsValid(name) ? "is no UTF-8" : null;
    }

    private void CheckKind(Span<byte> block, in DirectoryEntry entry, uint index, int origin)
    {
        if (!run.Inodes.IsUsed(entry.Inode))
        {
            return;
        }

        DirectoryFileType expected = run.Has(IncompatFeatures.FileType) ? run.Inodes.KindOf(entry.Inode) : DirectoryFileType.Unknown;
        if (entry.FileType != expected
            && Mends($"inode {_directory.Inode}, block {index}, offset {origin + entry.Offset}", $"file_type is {(int)entry.FileType}, expected {(int)expected}"))
        {
            DirectoryEntry.WriteFileType(block, entry.Offset, expected);
        }
    }

    private bool IsImpossible(uint inode) =>
        (inode < run.Geometry.FirstInode && inode != RootInode) || inode > run.Geometry.InodeCount;

    private static string Show(ReadOnlySpan<byte> name)
    {
        var text = new StringBuilder();
        foreach (Rune rune in Encoding.UTF8.GetString(name).EnumerateRunes())
        {
            text.Append(Rune.IsControl(rune) ? "?" : rune.ToString());
        }

        return text.ToString();
    }

    private void Report(string place, string found) => run.Log.Problem(Structure, place, found);
}

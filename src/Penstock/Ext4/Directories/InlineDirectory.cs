using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Mapping;

namespace Penstock.Ext4.Directories;

/// <summary>
/// A directory whose entries lie in its inode: the parent's number, entries up to the end of i_block, and more in the value of system.data.
/// Each of the two parts is walked like a block of its own.
/// </summary>
internal sealed class InlineDirectory(Ext4Inode inode, DirectoryFormat format)
{
    private const int FirstPart = InlineContents.DirectoryHeadSize;

    public uint Parent
    {
        get
        {
            uint parent = LittleEndian.U32(ReadAll(), 0);
            return parent > 0 && parent <= format.InodeCount
                ? parent
                : throw new CorruptVolumeException("inline directory", inode.ToString(), "parent", $"{parent}");
        }
    }

    public bool IsEmpty
    {
        get
        {
            byte[] contents = ReadAll();
            return EntryBlock.IsEmpty(First(contents)) && EntryBlock.IsEmpty(Second(contents));
        }
    }

    /// <summary>The whole content, checked.</summary>
    public byte[] ReadAll()
    {
        byte[] contents = inode.ReadInlineBytes();
        if (contents.Length < InodeRecord.BlockFieldSize)
        {
            throw new CorruptVolumeException("inode", inode.ToString(), "i_size", $"{contents.Length} of an inline directory");
        }

        var location = new InodeBlockLocation(inode.Number, default);
        DirectoryBlock.Check(First(contents), format, location, inode.ChecksumSeed, isInline: true);
        DirectoryBlock.Check(Second(contents), format, location, inode.ChecksumSeed, isInline: true);
        return contents;
    }

    public FoundEntry? Find(ReadOnlySpan<byte> name, CaseRule rule)
    {
        byte[] contents = ReadAll();
        return EntryBlock.Find(First(contents), name, rule) ?? EntryBlock.Find(Second(contents), name, rule);
    }

    public bool TryAdd(Handle handle, NewEntry what)
    {
        byte[] contents = ReadAll();
        bool isAdded = EntryBlock.TryAdd(First(contents), what.Name.Bytes, what.Inode, what.Type)
            || EntryBlock.TryAdd(Second(contents), what.Name.Bytes, what.Inode, what.Type);
        if (!isAdded)
        {
            contents = Grow(contents);
            isAdded = EntryBlock.TryAdd(Second(contents), what.Name.Bytes, what.Inode, what.Type);
        }

        if (isAdded)
        {
            Write(handle, contents);
        }

        return isAdded;
    }

    /// <summary>Begins a new directory, without entries.</summary>
    public void Start(Handle handle, uint parent)
    {
        byte[] contents = new byte[InodeRecord.BlockFieldSize];
        LittleEndian.U32(contents, 0, parent);
        WriteFree(First(contents));
        Write(handle, contents);
    }

    public void Change(Handle handle, ReadOnlySpan<byte> name, EntryChange change, NewEntry what)
    {
        byte[] contents = ReadAll();
        if (EntryBlock.Find(First(contents), name) is { } inFirst)
        {
            change(First(contents), inFirst, what);
        }
        else if (EntryBlock.Find(Second(contents), name) is { } inSecond)
        {
            change(Second(contents), inSecond, what);
        }
        else
        {
            throw new FileSystemException(IoFault.NotFound);
        }

        inode.WriteInlineBytes(handle, contents);
    }

    public void SetParent(Handle handle, uint parent)
    {
        byte[] contents = ReadAll();
        LittleEndian.U32(contents, 0, parent);
        inode.WriteInlineBytes(handle, contents);
    }

    /// <summary>Copies the entries of <paramref name="contents"/> into a block that has room for them all.</summary>
    public void CopyEntries(byte[] contents, Span<byte> block)
    {
        CopyPart(First(contents), block);
        CopyPart(Second(contents), block);
    }

    /// <summary>Where the entries of both parts lie, for a reader.</summary>
    public (byte[] Contents, int FirstStart, int SecondStart) Open() => (ReadAll(), FirstPart, InodeRecord.BlockFieldSize);

    /// <summary>The contents with a second part as large as the inode has room for: what is added belongs to the last entry.</summary>
    private byte[] Grow(byte[] contents)
    {
        int room = inode.ExtendedAttributes.InlineRoom & ~(AttributeEntry.Alignment - 1);
        Span<byte> before = Second(contents);
        if (room - before.Length < DirectoryEntry.LengthFor(1))
        {
            return contents;
        }

        byte[] grown = [.. contents, .. new byte[room - before.Length]];
        if (before.IsEmpty)
        {
            WriteFree(Second(grown));
            return grown;
        }

        DirectoryEntry last = default;
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(before, before.Length))
        {
            last = entry;
        }

        DirectoryEntry.WriteRecordLength(Second(grown), last.Offset, room - last.Offset);
        return grown;
    }

    private void Write(Handle handle, byte[] contents)
    {
        inode.WriteInlineBytes(handle, contents);
        inode.Size = contents.Length;
        inode.StoredSize = contents.Length;
    }

    private static void WriteFree(Span<byte> part) => DirectoryEntry.Write(part, 0, 0, part.Length, default, DirectoryFileType.Unknown);

    private static void CopyPart(ReadOnlySpan<byte> part, Span<byte> block)
    {
        foreach (DirectoryEntry entry in DirectoryBlock.EntriesOf(part, part.Length))
        {
            if (entry.IsUsed && !EntryBlock.TryAdd(block, entry.NameIn(part), entry.Inode, entry.FileType))
            {
                throw new InvalidOperationException("A block has no room for the entries of an inode.");
            }
        }
    }

    private static Span<byte> First(byte[] contents) => contents.AsSpan(FirstPart, InodeRecord.BlockFieldSize - FirstPart);

    private static Span<byte> Second(byte[] contents) => contents.AsSpan(InodeRecord.BlockFieldSize);
}

using System.Buffers.Binary;
using Penstock.Mapping;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>fc_tag: what one piece of a fast commit tells.</summary>
internal enum FastCommitTagType : ushort
{
    AddRange = 1,
    DeleteRange = 2,
    Create = 3,
    Link = 4,
    Unlink = 5,
    Inode = 6,
    Pad = 7,
    Tail = 8,
    Head = 9,
}

/// <summary>
/// One piece of a fast commit (ext4_fc_tl and what follows it), little-endian like all of ext4's, though it lies in the journal.
/// See https://docs.kernel.org/filesystems/ext4/journal.html#fast-commits.
/// </summary>
/// <param name="Type">fc_tag.</param>
/// <param name="Value">fc_len bytes.</param>
internal readonly record struct FastCommitTag(FastCommitTagType Type, ReadOnlyMemory<byte> Value)
{
    /// <summary>Bytes before the value.</summary>
    public const int HeaderSize = 4;

    /// <summary>Bytes of a tail's value that its own checksum covers: fc_tid.</summary>
    public const int CoveredByTail = 4;

    private const int HeadSize = 8;
    private const int TailSize = 8;
    private const int AddRangeSize = 16;
    private const int DeleteRangeSize = 12;
    private const int NameOffset = 8;
    private const int MaxName = 255;
    private const int RecordOffset = 4;

    /// <summary>The inode that the piece is about: a file's, or of a name the one it leads to.</summary>
    public uint Inode => U32(Value.Span, IsName ? 4 : 0);

    /// <summary>fc_parent_ino: the directory of a name.</summary>
    public uint Directory => U32(Value.Span, 0);

    /// <summary>fc_dname.</summary>
    public ReadOnlyMemory<byte> Name => Value[NameOffset..];

    /// <summary>fc_raw_inode: the first bytes of the inode, as many as were changed.</summary>
    public ReadOnlyMemory<byte> Record => Value[RecordOffset..];

    /// <summary>fc_ex of a range that was added.</summary>
    public BlockRun AddedRun
    {
        get
        {
            Span<byte> leaf = stackalloc byte[ExtentHeader.Size + ExtentLeaf.Size];
            Value.Span.Slice(sizeof(uint), ExtentLeaf.Size).CopyTo(leaf[ExtentHeader.Size..]);
            ExtentLeaf extent = ExtentLeaf.Read(leaf, 0);
            return new BlockRun(new FileBlock(extent.First), extent.Start, extent.Length, extent.IsUnwritten ? MapState.Unwritten : MapState.Mapped);
        }
    }

    /// <summary>fc_lblk and fc_len of a range that was removed.</summary>
    public BlockRun RemovedRun => BlockRun.Hole(new FileBlock(U32(Value.Span, 4)), U32(Value.Span, 8));

    /// <summary>fc_tid of a head or a tail: the transaction that would have been the next.</summary>
    public uint Transaction => U32(Value.Span, Type == FastCommitTagType.Head ? 4 : 0);

    /// <summary>fc_features of a head; none is known.</summary>
    public uint Features => U32(Value.Span, 0);

    /// <summary>fc_crc of a tail.</summary>
    public uint Checksum => U32(Value.Span, 4);

    private bool IsName => Type is FastCommitTagType.Create or FastCommitTagType.Link or FastCommitTagType.Unlink;

    /// <summary>Reads the piece at <paramref name="offset"/> of a block; false if none of a known type and a possible length stands there.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> block, int offset, int inodeSize, out FastCommitTag tag)
    {
        tag = default;
        if (offset > block.Length - HeaderSize)
        {
            return false;
        }

        var type = (FastCommitTagType)U16(block.Span, offset);
        int length = U16(block.Span, offset + sizeof(ushort));
        bool isPossible = length <= block.Length - offset - HeaderSize && type switch
        {
            FastCommitTagType.AddRange => length == AddRangeSize,
            FastCommitTagType.DeleteRange => length == DeleteRangeSize,
            FastCommitTagType.Create or FastCommitTagType.Link or FastCommitTagType.Unlink => length is > NameOffset and <= NameOffset + MaxName,
            FastCommitTagType.Inode => length - RecordOffset >= InodeRecord.MinSize && length - RecordOffset <= inodeSize,
            FastCommitTagType.Pad => true,
            FastCommitTagType.Tail => length >= TailSize,
            FastCommitTagType.Head => length == HeadSize,
            _ => false,
        };
        if (isPossible)
        {
            tag = new FastCommitTag(type, block.Slice(offset + HeaderSize, length));
        }

        return isPossible;
    }

    /// <summary>Writes a piece; returns where the next begins.</summary>
    public static int Write(Span<byte> block, int offset, FastCommitTagType type, ReadOnlySpan<byte> value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(block[offset..], (ushort)type); // fc_tag
        BinaryPrimitives.WriteUInt16LittleEndian(block[(offset + sizeof(ushort))..], (ushort)value.Length); // fc_len
        value.CopyTo(block[(offset + HeaderSize)..]);
        return offset + HeaderSize + value.Length;
    }
}

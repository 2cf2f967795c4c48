using static Penstock.Journal.Format.BigEndian;

namespace Penstock.Journal.Format;

/// <summary>
/// The block that says where on the volume the data blocks behind it belong: a header, tags, and a tail.
/// See https://docs.kernel.org/filesystems/ext4/journal.html#descriptor-block.
/// </summary>
internal static class DescriptorBlock
{
    private const int FlagsOffset = 4;
    private const int HalfFlagsOffset = 6;
    private const int HighBlockOffset = 8;
    private const int ChecksumOffsetV3 = 12;

    /// <summary>The most tags in one block, written as we do: with a UUID behind the first only.</summary>
    public static int Capacity(LogFormat format) =>
        (format.BlockSize - LogBlockHeader.Size - format.TailSize - LogFormat.UuidSize) / format.TagSize;

    /// <summary>
    /// Writes a whole descriptor block. Which tag is the last, and where a UUID stands, is decided here; of the flags given only
    /// <see cref="BlockTagFlags.Escaped"/> counts.
    /// </summary>
    /// <param name="format">The journal's.</param>
    /// <param name="block">The block; all of it is written.</param>
    /// <param name="sequence">The transaction's.</param>
    /// <param name="tags">One for each data block that follows: at least one, at most <see cref="Capacity"/>.</param>
    public static void Write(LogFormat format, Span<byte> block, LogSequence sequence, ReadOnlySpan<BlockTag> tags)
    {
        ArgumentOutOfRangeException.ThrowIfZero(tags.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tags.Length, Capacity(format));
        block.Clear();
        new LogBlockHeader(LogBlockType.Descriptor, sequence).WriteTo(block);
        int offset = LogBlockHeader.Size;
        for (int i = 0; i < tags.Length; i++)
        {
            BlockTagFlags flags = tags[i].Flags & BlockTagFlags.Escaped;
            flags |= i > 0 ? BlockTagFlags.SameUuid : 0;
            flags |= i == tags.Length - 1 ? BlockTagFlags.Last : 0;
            WriteTag(format, block[offset..], tags[i] with { Flags = flags });
            offset += format.TagSize;
            if (i == 0)
            {
                format.Uuid.TryWriteBytes(block.Slice(offset, LogFormat.UuidSize), bigEndian: true, out _);
                offset += LogFormat.UuidSize;
            }
        }

        LogBlockTail.Write(format, block);
    }

    /// <summary>The tags of a block, in the order of the data behind it.</summary>
    public static Tags Read(LogFormat format, ReadOnlySpan<byte> block) => new(format, block);

    /// <summary>How many data blocks follow a descriptor.</summary>
    public static int Count(LogFormat format, ReadOnlySpan<byte> block)
    {
        int count = 0;
        foreach (BlockTag unused in Read(format, block))
        {
            count++;
        }

        return count;
    }

    private static void WriteTag(LogFormat format, Span<byte> raw, in BlockTag tag)
    {
        if (!format.Is64Bit && tag.Block > uint.MaxValue)
        {
            throw new ArgumentOutOfRangeException(nameof(tag), tag.Block, "The journal's block numbers have 32 bits.");
        }

        U32(raw, 0, (uint)tag.Block); // t_blocknr
        if (format.HasTagsV3)
        {
            U32(raw, FlagsOffset, (uint)tag.Flags); // t_flags
            U32(raw, ChecksumOffsetV3, tag.Checksum); // t_checksum
        }
        else
        {
            U16(raw, FlagsOffset, format.HasTagsV2 ? (ushort)tag.Checksum : (ushort)0); // t_checksum
            U16(raw, HalfFlagsOffset, (ushort)tag.Flags); // t_flags
        }

        if (format.Is64Bit)
        {
            U32(raw, HighBlockOffset, (uint)(tag.Block >> 32)); // t_blocknr_high
        }
    }

    private static BlockTag ReadTag(LogFormat format, ReadOnlySpan<byte> raw)
    {
        ulong block = U32(raw, 0) | (format.Is64Bit ? (ulong)U32(raw, HighBlockOffset) << 32 : 0);
        return format.HasTagsV3
            ? new BlockTag(block, (BlockTagFlags)U32(raw, FlagsOffset), U32(raw, ChecksumOffsetV3))
            : new BlockTag(block, (BlockTagFlags)U16(raw, HalfFlagsOffset), format.HasTagsV2 ? U16(raw, FlagsOffset) : 0u);
    }

    /// <summary>Walks the tags of one block. A block without a last tag ends where the next would not fit.</summary>
    public ref struct Tags
    {
        private readonly LogFormat _format;
        private readonly ReadOnlySpan<byte> _block;
        private int _next;

        public Tags(LogFormat format, ReadOnlySpan<byte> block)
        {
            _format = format;
            _block = block[..^format.TailSize];
            _next = LogBlockHeader.Size;
        }

        public BlockTag Current { get; private set; }

        public readonly Tags GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_next + _format.TagSize > _block.Length || Current.IsLast)
            {
                return false;
            }

            Current = ReadTag(_format, _block[_next..]);
            _next += _format.TagSize + ((Current.Flags & BlockTagFlags.SameUuid) == 0 ? LogFormat.UuidSize : 0);
            return true;
        }
    }
}

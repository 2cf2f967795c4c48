using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// A directory entry (ext4_dir_entry_2) at its offset in a block. The name is a slice of the block.
/// See https://docs.kernel.org/filesystems/ext4/directory.html.
/// </summary>
/// <param name="Inode">inode; 0 is a free entry.</param>
/// <param name="Offset">Bytes from the start of the block.</param>
/// <param name="RecordLength">rec_len, decoded: bytes to the next entry.</param>
/// <param name="NameLength">name_len.</param>
/// <param name="FileType">file_type; unknown on a volume without filetype.</param>
internal readonly record struct DirectoryEntry(uint Inode, int Offset, int RecordLength, byte NameLength, DirectoryFileType FileType)
{
    /// <summary>Bytes before the name.</summary>
    public const int HeaderSize = 8;
    public const int MaxNameLength = 255;
    public const int Alignment = 4;

    private const ushort WholeBlock64K = 0xFFFF;
    private const int Block64K = 65536;

    public bool IsUsed => Inode != 0;

    public int End => Offset + RecordLength;

    /// <summary>Bytes the entry needs for itself; what rec_len has beyond can hold another.</summary>
    public int NeededLength => IsUsed ? LengthFor(NameLength) : 0;

    public static int LengthFor(int nameLength) => (HeaderSize + nameLength + Alignment - 1) & ~(Alignment - 1);

    public static DirectoryEntry Read(ReadOnlySpan<byte> block, int offset)
    {
        ReadOnlySpan<byte> raw = block[offset..];
        return new DirectoryEntry(U32(raw, 0), offset, DecodeLength(U16(raw, 4)), raw[6], (DirectoryFileType)raw[7]);
    }

    public ReadOnlySpan<byte> NameIn(ReadOnlySpan<byte> block) => block.Slice(Offset + HeaderSize, NameLength);

    /// <summary>Writes a whole entry; bytes between the name's end and rec_len are left as they are.</summary>
    public static void Write(Span<byte> block, int offset, uint inode, int recordLength, ReadOnlySpan<byte> name, DirectoryFileType fileType)
    {
        Span<byte> raw = block[offset..];
        U32(raw, 0, inode); // inode
        U16(raw, 4, EncodeLength(recordLength)); // rec_len
        raw[6] = checked((byte)name.Length); // name_len
        raw[7] = (byte)fileType; // file_type
        name.CopyTo(raw[HeaderSize..]);
    }

    public static void WriteRecordLength(Span<byte> block, int offset, int recordLength) => U16(block, offset + 4, EncodeLength(recordLength));

    public static void WriteInode(Span<byte> block, int offset, uint inode) => U32(block, offset, inode);

    public static void WriteFileType(Span<byte> block, int offset, DirectoryFileType fileType) => block[offset + 7] = (byte)fileType;

    // 64 KiB does not fit 16 bits; as lengths are multiples of 4, the lowest two bits are free to carry bits 16 and 17.
    private static int DecodeLength(ushort stored) => stored is WholeBlock64K or 0 ? Block64K : (stored & ~3) | ((stored & 3) << 16);

    private static ushort EncodeLength(int length) => length == Block64K ? WholeBlock64K : checked((ushort)length);
}

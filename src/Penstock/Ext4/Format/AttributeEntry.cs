using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// An extended attribute's entry (ext4_xattr_entry), in an inode or in an attribute block.
/// See https://docs.kernel.org/filesystems/ext4/attributes.html.
/// </summary>
/// <param name="Offset">Where the entry lies in its area.</param>
/// <param name="NameLength">e_name_len.</param>
/// <param name="Namespace">e_name_index.</param>
/// <param name="ValueOffset">e_value_offs: from the first entry in an inode, from the start of the block in a block.</param>
/// <param name="ValueInode">e_value_inum: the inode that holds the value (ea_inode); 0 is none.</param>
/// <param name="ValueSize">e_value_size.</param>
/// <param name="Hash">e_hash.</param>
internal readonly record struct AttributeEntry(
    int Offset, byte NameLength, AttributeNamespace Namespace, ushort ValueOffset, uint ValueInode, uint ValueSize, uint Hash)
{
    /// <summary>Bytes before the name.</summary>
    public const int HeaderSize = 16;
    public const int Alignment = 4;
    public const int MaxNameLength = 255;

    /// <summary>The four zero bytes after the last entry.</summary>
    public const int TerminatorSize = 4;

    private const int NameShift = 5;
    private const int ValueShift = 16;

    public int Length => LengthFor(NameLength);

    public bool HasValueInode => ValueInode != 0;

    public static int LengthFor(int nameLength) => Align(HeaderSize + nameLength);

    /// <summary>Bytes a value takes among the others.</summary>
    public static int Align(int length) => (length + Alignment - 1) & ~(Alignment - 1);

    public static AttributeEntry Read(ReadOnlySpan<byte> area, int offset)
    {
        ReadOnlySpan<byte> raw = area[offset..];
        return new AttributeEntry(offset, raw[0], (AttributeNamespace)raw[1], U16(raw, 2), U32(raw, 4), U32(raw, 8), U32(raw, 12));
    }

    /// <summary>Whether the entries end here.</summary>
    public static bool IsTerminator(ReadOnlySpan<byte> area, int offset) => U32(area, offset) == 0;

    public ReadOnlySpan<byte> NameIn(ReadOnlySpan<byte> area) => area.Slice(Offset + HeaderSize, NameLength);

    public void WriteTo(Span<byte> area, ReadOnlySpan<byte> name)
    {
        Span<byte> raw = area.Slice(Offset, Length);
        raw.Clear();
        raw[0] = NameLength; // e_name_len
        raw[1] = (byte)Namespace; // e_name_index
        U16(raw, 2, ValueOffset); // e_value_offs
        U32(raw, 4, ValueInode); // e_value_inum
        U32(raw, 8, ValueSize); // e_value_size
        U32(raw, 12, Hash); // e_hash
        name.CopyTo(raw[HeaderSize..]);
    }

    /// <summary>e_hash of an attribute whose value lies in the block. Entries in an inode keep 0.</summary>
    public static uint ComputeHash(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        uint hash = HashName(name);
        Span<byte> word = stackalloc byte[sizeof(uint)];
        for (int i = 0; i < value.Length; i += sizeof(uint))
        {
            word.Clear();
            value[i..Math.Min(i + sizeof(uint), value.Length)].CopyTo(word);
            hash = Mix(hash, U32(word, 0));
        }

        return hash;
    }

    /// <summary>e_hash of an attribute whose value lies in an inode, wherever the entry is.</summary>
    /// <param name="name">The name without its prefix.</param>
    /// <param name="valueHash">The CRC-32C of the value, from the volume's seed on.</param>
    public static uint ComputeHash(ReadOnlySpan<byte> name, uint valueHash) => Mix(HashName(name), valueHash);

    /// <summary>The hash that was computed where a char is signed; it must be accepted too for names beyond ASCII.</summary>
    public static uint ComputeSignedHash(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        uint signed = HashSignedName(name);
        for (int i = 0; i < value.Length; i += sizeof(uint))
        {
            uint word = 0;
            for (int k = Math.Min(value.Length, i + sizeof(uint)) - 1; k >= i; k--)
            {
                word = (word << 8) | value[k];
            }

            signed = Mix(signed, word);
        }

        return signed;
    }

    /// <summary>As <see cref="ComputeHash(ReadOnlySpan{byte}, uint)"/>, computed where a char is signed.</summary>
    public static uint ComputeSignedHash(ReadOnlySpan<byte> name, uint valueHash) => Mix(HashSignedName(name), valueHash);

    private static uint HashName(ReadOnlySpan<byte> name)
    {
        uint hash = 0;
        foreach (byte next in name)
        {
            hash = uint.RotateLeft(hash, NameShift) ^ next;
        }

        return hash;
    }

    private static uint HashSignedName(ReadOnlySpan<byte> name)
    {
        uint hash = 0;
        foreach (byte next in name)
        {
            hash = uint.RotateLeft(hash, NameShift) ^ (uint)(sbyte)next;
        }

        return hash;
    }

    private static uint Mix(uint hash, uint word) => uint.RotateLeft(hash, ValueShift) ^ word;
}

using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Format;

/// <summary>
/// A quota file (vfsv1): blocks of 1 KiB whatever the volume's, a header, and a tree of four levels in which each byte of an id, the highest first,
/// chooses the next block; below are blocks of entries.
/// </summary>
internal static class QuotaFile
{
    public const int BlockSize = 1024;
    public const uint Version = 1;
    public const uint DefaultGraceSeconds = 7 * 24 * 60 * 60;

    /// <summary>Levels of the tree.</summary>
    public const int Depth = 4;

    /// <summary>The tree's first block, after the header's.</summary>
    public const uint RootBlock = 1;

    public const int BlocksOffset = 0x14; // dqi_blocks
    public const int FreeBlockOffset = 0x18; // dqi_free_blk
    public const int FreeEntryOffset = 0x1C; // dqi_free_entry

    private const int EntriesHeaderSize = 16;
    private const int PointerSize = 4;

    private static readonly uint[] Magics = [0xD9C01F11, 0xD9C01927, 0xD9C03F14];

    public static uint MagicOf(QuotaKind kind) => Magics[(int)kind];

    /// <summary>A file that counts the use of one id.</summary>
    public static byte[] CreateFor(QuotaKind kind, QuotaEntry entry)
    {
        const uint EntriesBlock = RootBlock + Depth;
        const uint BlockCount = EntriesBlock + 1;
        byte[] file = new byte[BlockCount * BlockSize];
        U32(file, 0x00, MagicOf(kind)); // dqh_magic
        U32(file, 0x04, Version); // dqh_version
        U32(file, 0x08, DefaultGraceSeconds); // dqi_bgrace
        U32(file, 0x0C, DefaultGraceSeconds); // dqi_igrace
        U32(file, 0x10, 0); // dqi_flags
        U32(file, BlocksOffset, BlockCount);
        U32(file, FreeBlockOffset, 0);
        U32(file, FreeEntryOffset, EntriesBlock);
        for (uint level = 0; level < Depth; level++)
        {
            int index = (byte)(entry.Id >> (int)(8 * (Depth - 1 - level)));
            U32(file, (int)((RootBlock + level) * BlockSize) + (index * PointerSize), RootBlock + level + 1);
        }

        Span<byte> entries = file.AsSpan((int)(EntriesBlock * BlockSize));
        U16(entries, 8, 1); // dqdh_entries
        entry.WriteTo(entries[EntriesHeaderSize..]);
        return file;
    }
}

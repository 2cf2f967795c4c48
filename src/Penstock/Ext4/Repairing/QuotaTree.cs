using Penstock.Ext4.Format;
using static Penstock.Ext4.Format.LittleEndian;

namespace Penstock.Ext4.Repairing;

/// <summary>
/// Makes a whole quota file (vfsv1): a header, a tree of four levels with a byte of the id for each, and blocks of entries, fourteen in each.
/// See https://docs.kernel.org/filesystems/quota.html and the format's own tools.
/// </summary>
internal sealed class QuotaTree
{
    private const int EntriesHeaderSize = 16;
    private const int PointerSize = 4;
    private const int EntriesPerBlock = (QuotaFile.BlockSize - EntriesHeaderSize) / QuotaEntry.Size;

    private readonly List<byte[]> _blocks = [new byte[QuotaFile.BlockSize], new byte[QuotaFile.BlockSize]];
    private uint _entriesBlock;
    private int _entries;

    /// <summary>The file's contents.</summary>
    /// <param name="kind">Whose file it is.</param>
    /// <param name="entries">The entries, each id once.</param>
    public static byte[] Build(QuotaKind kind, IEnumerable<QuotaEntry> entries)
    {
        var tree = new QuotaTree();
        foreach (QuotaEntry entry in entries)
        {
            tree.Add(entry);
        }

        return tree.Finish(kind);
    }

    private void Add(QuotaEntry entry)
    {
        if (_entriesBlock == 0 || _entries == EntriesPerBlock)
        {
            (_entriesBlock, _entries) = (NewBlock(), 0);
        }

        uint node = QuotaFile.RootBlock;
        for (int level = 0; level < QuotaFile.Depth; level++)
        {
            int slot = (byte)(entry.Id >> (8 * (QuotaFile.Depth - 1 - level))) * PointerSize;
            uint next = U32(_blocks[(int)node], slot);
            if (next == 0)
            {
                next = level == QuotaFile.Depth - 1 ? _entriesBlock : NewBlock();
                U32(_blocks[(int)node], slot, next);
            }

            node = next;
        }

        byte[] block = _blocks[(int)_entriesBlock];
        entry.WriteTo(block.AsSpan(EntriesHeaderSize + (_entries++ * QuotaEntry.Size)));
        U16(block, 8, (ushort)_entries); // dqdh_entries
    }

    private uint NewBlock()
    {
        _blocks.Add(new byte[QuotaFile.BlockSize]);
        return (uint)_blocks.Count - 1;
    }

    private byte[] Finish(QuotaKind kind)
    {
        byte[] head = _blocks[0];
        U32(head, 0x00, QuotaFile.MagicOf(kind)); // dqh_magic
        U32(head, 0x04, QuotaFile.Version); // dqh_version
        U32(head, 0x08, QuotaFile.DefaultGraceSeconds); // dqi_bgrace
        U32(head, 0x0C, QuotaFile.DefaultGraceSeconds); // dqi_igrace
        U32(head, 0x14, (uint)_blocks.Count); // dqi_blocks
        U32(head, 0x1C, _entries < EntriesPerBlock ? _entriesBlock : 0); // dqi_free_entry
        byte[] file = new byte[_blocks.Count * QuotaFile.BlockSize];
        for (int i = 0; i < _blocks.Count; i++)
        {
            _blocks[i].CopyTo(file.AsSpan(i * QuotaFile.BlockSize));
        }

        return file;
    }
}

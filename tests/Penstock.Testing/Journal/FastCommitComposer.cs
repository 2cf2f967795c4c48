using System.Buffers.Binary;
using System.Text;
using Penstock.Ext4.Format;

namespace Penstock.Testing.Journal;

/// <summary>Composes fast commits as the kernel writes them, in the blocks that a journal has for them.</summary>
internal sealed class FastCommitComposer(int blockSize, int blocks)
{
    private readonly byte[] _bytes = new byte[blockSize * blocks];
    private int _next;
    private int _summed;
    private uint _sum;

    /// <summary>All blocks, unused ones zero.</summary>
    public byte[] Bytes => _bytes;

    public FastCommitComposer Head(uint transaction, uint features = 0) => Add(FastCommitTagType.Head, Join(features, transaction));

    public FastCommitComposer Name(FastCommitTagType type, uint directory, uint inode, string name) =>
        Add(type, [.. Join(directory, inode), .. Encoding.UTF8.GetBytes(name)]);

    public FastCommitComposer Inode(uint number, ReadOnlySpan<byte> record) => Add(FastCommitTagType.Inode, [.. Join(number), .. record]);

    public FastCommitComposer AddRange(uint inode, ExtentLeaf extent)
    {
        byte[] leaf = new byte[ExtentHeader.Size + ExtentLeaf.Size];
        extent.WriteTo(leaf, 0);
        return Add(FastCommitTagType.AddRange, [.. Join(inode), .. leaf[ExtentHeader.Size..]]);
    }

    public FastCommitComposer DeleteRange(uint inode, uint first, uint count) => Add(FastCommitTagType.DeleteRange, Join(inode, first, count));

    /// <summary>Ends a fast commit, and the block it ends in.</summary>
    public FastCommitComposer Tail(uint transaction)
    {
        int rest = blockSize - (_next % blockSize) - FastCommitTag.HeaderSize;
        if (rest < 8)
        {
            Pad();
            rest = blockSize - FastCommitTag.HeaderSize;
        }

        int start = _next;
        byte[] value = new byte[rest];
        BinaryPrimitives.WriteUInt32LittleEndian(value, transaction);
        _next = FastCommitTag.Write(_bytes, _next, FastCommitTagType.Tail, value);
        uint sum = Crc32C.Append(_sum, _bytes.AsSpan(_summed, start + FastCommitTag.HeaderSize + FastCommitTag.CoveredByTail - _summed));
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(start + FastCommitTag.HeaderSize + FastCommitTag.CoveredByTail), sum);
        (_sum, _summed) = (0, _next);
        return this;
    }

    private FastCommitComposer Add(FastCommitTagType type, byte[] value)
    {
        if (blockSize - (_next % blockSize) < (2 * FastCommitTag.HeaderSize) + value.Length)
        {
            Pad();
        }

        _next = FastCommitTag.Write(_bytes, _next, type, value);
        return this;
    }

    private void Pad() =>
        _next = FastCommitTag.Write(_bytes, _next, FastCommitTagType.Pad, new byte[blockSize - (_next % blockSize) - FastCommitTag.HeaderSize]);

    private static byte[] Join(params ReadOnlySpan<uint> values)
    {
        byte[] joined = new byte[values.Length * sizeof(uint)];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(joined.AsSpan(i * sizeof(uint)), values[i]);
        }

        return joined;
    }
}

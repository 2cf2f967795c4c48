using Penstock.Journal;
using Penstock.Journal.Format;
using Penstock.Testing.Devices;

namespace Penstock.Testing.Journal;

/// <summary>
/// Writes a log block by block, right or wrong, into the blocks of a journal on a simulated device. Blocks go on from each other and wrap;
/// the superblock is written last.
/// </summary>
public sealed class LogComposer
{
    private readonly SimulatedDevice _device;
    private readonly LogArea _area;
    private LogFormat _format;
    private uint _sum = CommitBlock.EmptySum;

    internal LogComposer(SimulatedDevice device, LogArea area)
    {
        _device = device;
        _area = area;
        _format = new LogFormat(area.Superblock);
        Next = area.Geometry.First;
    }

    internal JournalSuperblock Superblock => _area.Superblock;

    internal LogFormat Format => _format;

    /// <summary>The transaction that is being written.</summary>
    internal LogSequence Sequence { get; set; } = new(1);

    /// <summary>The block of the journal that comes next.</summary>
    public uint Next { get; set; }

    /// <summary>Sets what the superblock says of the blocks, and where the log starts: at the next block.</summary>
    internal void Begin(JournalFeatures features, JournalCompatFeatures compat = 0, uint sequence = 1)
    {
        Superblock.Features = features;
        Superblock.CompatFeatures = compat;
        Superblock.ChecksumType = Superblock.HasChecksum ? JournalSuperblock.Crc32CChecksumType : (byte)0;
        Superblock.Start = Next;
        Superblock.Sequence = sequence;
        Sequence = new LogSequence(sequence);
        _format = new LogFormat(Superblock);
        WriteSuperblock();
    }

    public void WriteSuperblock()
    {
        byte[] raw = new byte[JournalSuperblock.Size];
        Superblock.WriteTo(raw);
        _device.Poke(_area.OffsetOf(0, out _), raw);
    }

    /// <summary>A descriptor and the blocks behind it. <paramref name="change"/> spoils the log's copies.</summary>
    internal void Write(IReadOnlyList<(ulong Block, byte[] Content)> blocks, Action<int, byte[]>? change = null)
    {
        var tags = new BlockTag[blocks.Count];
        var copies = new byte[blocks.Count][];
        for (int i = 0; i < tags.Length; i++)
        {
            copies[i] = (byte[])blocks[i].Content.Clone();
            bool isEscaped = LoggedBlock.MustEscape(copies[i]);
            if (isEscaped)
            {
                LoggedBlock.Escape(copies[i]);
            }

            uint checksum = LoggedBlock.ComputeChecksum(_format, Sequence, copies[i]);
            tags[i] = new BlockTag(blocks[i].Block, isEscaped ? BlockTagFlags.Escaped : 0, checksum);
        }

        byte[] descriptor = new byte[_format.BlockSize];
        DescriptorBlock.Write(_format, descriptor, Sequence, tags);
        _sum = CommitBlock.SumUp(_sum, descriptor);
        Put(descriptor);
        for (int i = 0; i < copies.Length; i++)
        {
            _sum = CommitBlock.SumUp(_sum, copies[i]);
            change?.Invoke(i, copies[i]);
            Put(copies[i]);
        }
    }

    /// <summary>A revoke block.</summary>
    internal void Revoke(params ulong[] blocks)
    {
        byte[] block = new byte[_format.BlockSize];
        RevokeBlock.Write(_format, block, Sequence, blocks);
        Put(block);
    }

    /// <summary>A commit block, and on to the next transaction.</summary>
    internal void Commit(ulong seconds = 1000, Action<byte[]>? change = null)
    {
        byte[] block = new byte[_format.BlockSize];
        new CommitBlock(Sequence, seconds, 7).Write(_format, block, _sum);
        change?.Invoke(block);
        Put(block);
        Sequence = Sequence.Next;
        _sum = CommitBlock.EmptySum;
    }

    /// <summary>Any block.</summary>
    public void Put(byte[] block)
    {
        _device.Poke(_area.OffsetOf(Next, out _), block);
        Next = _area.Geometry.Advance(Next, 1);
    }
}

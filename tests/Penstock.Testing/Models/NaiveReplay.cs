using Penstock.Journal.Format;
using Penstock.Testing.Devices;

namespace Penstock.Testing.Models;

/// <summary>
/// A recovery as short as it can be written: transactions in a list, then revokes, then copies. The twin that the commit side of the journal is tested with; it
/// shares nothing with the replay of volumes but the format.
/// </summary>
internal static class NaiveReplay
{
    /// <summary>Replays the log of a device whose journal is <paramref name="blocks"/> blocks in a row. How many transactions were in it.</summary>
    public static int Run(SimulatedDevice device, int blockSize, ulong firstBlock, uint blocks)
    {
        byte[] Read(ulong block) => device.Peek((long)block * blockSize, blockSize);
        JournalSuperblock superblock = JournalSuperblock.Parse(Read(firstBlock), blockSize, blocks, "journal");
        if (superblock.Start == 0)
        {
            return 0;
        }

        var format = new LogFormat(superblock);
        var geometry = new LogGeometry(superblock);
        uint position = superblock.Start;
        byte[] Next()
        {
            byte[] block = Read(firstBlock + position);
            position = geometry.Advance(position, 1);
            return block;
        }

        List<LogContent> committed = [];
        for (var sequence = new LogSequence(superblock.Sequence); TryRead(format, sequence, Next) is { } content; sequence = sequence.Next)
        {
            committed.Add(content);
        }

        Dictionary<ulong, int> lastRevoke = [];
        for (int i = 0; i < committed.Count; i++)
        {
            committed[i].Revoked.ForEach(block => lastRevoke[block] = i);
        }

        for (int i = 0; i < committed.Count; i++)
        {
            foreach ((ulong block, byte[] copy) in committed[i].Copies)
            {
                if (!lastRevoke.TryGetValue(block, out int revoke) || revoke < i)
                {
                    device.Poke((long)block * blockSize, copy);
                }
            }
        }

        return committed.Count;
    }

    private static LogContent? TryRead(LogFormat format, LogSequence sequence, Func<byte[]> next)
    {
        var content = new LogContent([], []);
        while (true)
        {
            byte[] block = next();
            if (!LogBlockHeader.TryRead(block, out LogBlockHeader header) || header.Sequence != sequence)
            {
                return null;
            }

            switch (header.Type)
            {
                case LogBlockType.Descriptor when LogBlockTail.IsSound(format, block):
                    AddCopies(format, block, next, content);
                    break;
                case LogBlockType.Revoke when LogBlockTail.IsSound(format, block) && RevokeBlock.TryReadCount(format, block, out int count):
                    content.Revoked.AddRange(Enumerable.Range(0, count).Select(i => RevokeBlock.ReadBlock(format, block, i)));
                    break;
                case LogBlockType.Commit:
                    return CommitBlock.IsSound(format, block) ? content : null;
                default:
                    return null;
            }
        }
    }

    private static void AddCopies(LogFormat format, byte[] descriptor, Func<byte[]> next, LogContent content)
    {
        foreach (BlockTag tag in DescriptorBlock.Read(format, descriptor))
        {
            byte[] copy = next();
            if (tag.IsEscaped)
            {
                LoggedBlock.Unescape(copy);
            }

            content.Copies.Add((tag.Block, copy));
        }
    }

    private sealed record LogContent(List<(ulong Block, byte[] Copy)> Copies, List<ulong> Revoked);
}

using Penstock.Ext4.Format;
using Penstock.Journal;
using Penstock.Journal.Format;
using Penstock.Journal.Recovery;

namespace Penstock.Ext4.Recovery;

/// <summary>
/// Reads the fast commits that stand behind a log: those that were written after its last transaction, one after the other, each whole and ended by a
/// tail with its checksum. The first that is not whole ends them: nobody was told that it is durable.
/// </summary>
internal sealed class FastCommitScan
{
    private readonly LogArea _area;
    private readonly LogReader _reader;
    private readonly int _inodeSize;
    private readonly uint _transaction;
    private readonly List<FastCommitTag> _whole = [];
    private readonly List<FastCommitTag> _open = [];
    private uint _sum;
    private int _count;

    private FastCommitScan(LogArea area, LogReader reader, int inodeSize, LogSequence next)
    {
        _area = area;
        _reader = reader;
        _inodeSize = inodeSize;
        _transaction = next.Value;
    }

    /// <summary>All whole fast commits.</summary>
    /// <param name="area">The journal.</param>
    /// <param name="reader">Its blocks.</param>
    /// <param name="inodeSize">Bytes of an inode of the volume.</param>
    /// <param name="next">The transaction behind the log's last one, which fast commits that count belong to.</param>
    /// <exception cref="DeviceException">A block could not be read.</exception>
    /// <exception cref="UnsupportedFeatureException">They have features that are not known.</exception>
    public static async ValueTask<FastCommits> ReadAsync(LogArea area, LogReader reader, int inodeSize, LogSequence next)
    {
        var scan = new FastCommitScan(area, reader, inodeSize, next);
        LogGeometry geometry = area.Geometry;
        for (uint block = geometry.FastCommitFirst; block < geometry.FastCommitEnd; block++)
        {
            await reader.LoadAsync(block).ConfigureAwait(false);
            if (!scan.ReadBlock(isFirst: block == geometry.FastCommitFirst))
            {
                break;
            }
        }

        return new FastCommits(scan._whole, scan._count);
    }

    /// <summary>Reads a block of pieces. Whether the next block may go on.</summary>
    private bool ReadBlock(bool isFirst)
    {
        ReadOnlyMemory<byte> block = _reader.Current.ToArray();
        int offset = 0;
        while (offset <= block.Length - FastCommitTag.HeaderSize)
        {
            bool isHead = isFirst && offset == 0;
            if (!FastCommitTag.TryRead(block, offset, _inodeSize, out FastCommitTag tag) || isHead != (tag.Type == FastCommitTagType.Head) || !Add(tag, block.Span[offset..]))
            {
                return false;
            }

            offset += FastCommitTag.HeaderSize + tag.Value.Length;
        }

        return true;
    }

    private bool Add(FastCommitTag tag, ReadOnlySpan<byte> bytes)
    {
        int covered = tag.Type == FastCommitTagType.Tail ? FastCommitTag.CoveredByTail : tag.Value.Length;
        _sum = Crc32C.Append(_sum, bytes[..(FastCommitTag.HeaderSize + covered)]);
        switch (tag.Type)
        {
            case FastCommitTagType.Head:
                return IsTheirs(tag);
            case FastCommitTagType.Tail:
                bool isWhole = tag.Transaction == _transaction && tag.Checksum == _sum;
                _whole.AddRange(isWhole ? _open : []);
                _count += isWhole ? 1 : 0;
                _open.Clear();
                _sum = 0;
                return isWhole;
            case FastCommitTagType.Pad:
                return true;
            default:
                _open.Add(tag);
                return true;
        }
    }

    private bool IsTheirs(FastCommitTag head)
    {
        if (head.Transaction != _transaction)
        {
            return false;
        }

        return head.Features == 0 ? true
            : throw new UnsupportedFeatureException([$"0x{head.Features:x}"], $"{_area.Device.Name}: the journal's fast commits have features that are not known");
    }
}

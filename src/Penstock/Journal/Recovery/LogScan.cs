using Penstock.Journal.Format;
using Penstock.Mapping;

namespace Penstock.Journal.Recovery;

/// <summary>
/// The first pass of a recovery: finds where the log ends and judges every block of it, so that nothing is written because of a log that then turns out
/// to be damaged.
/// </summary>
/// <remarks>
/// The log ends where the next block is not of the transaction that is due, or where a commit block fails its checksum. In a log with asynchronous commits
/// the latter may be what a loss of power left, if no later commit block follows. Blocks that an earlier use of the same place left look
/// like the log's but are older: their commit block's time tells.
/// </remarks>
internal sealed class LogScan
{
    private const string Structure = "journal";
    private const int MaxBadCopies = 1 << 16;

    private readonly LogArea _area;
    private readonly LogFormat _format;
    private readonly LogWalk _walk;
    private readonly ulong _volumeBlocks;
    private readonly LogContents _found;
    private readonly List<BlockTag> _tags = [];
    private readonly List<uint> _bad = [];
    private LogSequence? _interrupted;
    private uint _sum = CommitBlock.EmptySum;
    private bool _isSuspicious;
    private ulong _lastTime;
    private long _copies;
    private long _revokes;
    private CorruptVolumeException? _wild;

    /// <param name="area">The journal, which has a log.</param>
    /// <param name="reader">Its blocks.</param>
    /// <param name="volumeBlocks">How many blocks the volume's device has.</param>
    public LogScan(LogArea area, LogReader reader, ulong volumeBlocks)
    {
        _area = area;
        _format = new LogFormat(area.Superblock);
        _walk = new LogWalk(area, reader);
        _volumeBlocks = volumeBlocks;
        _found = new LogContents { First = _walk.Sequence, End = _walk.Sequence, EndBlock = _walk.Next };
    }

    /// <exception cref="DeviceException">A block of the log could not be read.</exception>
    public async ValueTask<LogContents> RunAsync()
    {
        while (await _walk.MoveAsync().ConfigureAwait(false))
        {
            bool goesOn = _walk.Type switch
            {
                LogBlockType.Descriptor => await ReadDescriptorAsync().ConfigureAwait(false),
                LogBlockType.Revoke => ReadRevokes(),
                LogBlockType.Commit => ReadCommit(),
                _ => false,
            };
            if (!goesOn)
            {
                break;
            }
        }

        return _found;
    }

    private async ValueTask<bool> ReadDescriptorAsync()
    {
        _isSuspicious |= !LogBlockTail.IsSound(_format, _walk.Current);
        _tags.Clear();
        foreach (BlockTag tag in DescriptorBlock.Read(_format, _walk.Current))
        {
            _tags.Add(tag);
        }

        // Behind a transaction that was interrupted only a commit block is looked for.
        if (_isSuspicious || _interrupted is not null || !(_format.HasChecksums || _format.HasTransactionChecksums))
        {
            JudgePlaces();
            _walk.Skip(_tags.Count);
            return true;
        }

        _sum = _format.HasTransactionChecksums ? CommitBlock.SumUp(_sum, _walk.Current) : _sum;
        JudgePlaces();
        return await ReadCopiesAsync().ConfigureAwait(false);
    }

    private async ValueTask<bool> ReadCopiesAsync()
    {
        foreach (BlockTag tag in _tags)
        {
            if (!await _walk.StepAsync().ConfigureAwait(false))
            {
                return false;
            }

            _sum = _format.HasTransactionChecksums ? CommitBlock.SumUp(_sum, _walk.Current) : _sum;
            if (!LoggedBlock.IsSound(_format, _walk.Sequence, tag, _walk.Current))
            {
                _bad.Add(_walk.Block);
            }
        }

        return true;
    }

    private void JudgePlaces()
    {
        _copies += _tags.Count;
        foreach (BlockTag tag in _tags)
        {
            bool isOnVolume = tag.Block < _volumeBlocks;
            if (!isOnVolume || (_area.IsOnVolume && _area.Contains(new VolumeBlock(tag.Block))))
            {
                string why = isOnVolume ? "which is the journal's own" : $"of {_volumeBlocks}";
                _wild ??= Damaged("t_blocknr", $"{tag.Block}, {why}");
                return;
            }
        }
    }

    private bool ReadRevokes()
    {
        _isSuspicious |= !LogBlockTail.IsSound(_format, _walk.Current);
        if (!RevokeBlock.TryReadCount(_format, _walk.Current, out int count))
        {
            _wild ??= Damaged("r_count", "more than a block has");
        }

        _revokes += count;
        return true;
    }

    /// <summary>Ends a transaction. Whether the log may go on behind it.</summary>
    private bool ReadCommit()
    {
        ulong time = CommitBlock.Read(_walk.Current).Seconds;
        bool isOlder = time < _lastTime;
        if (_isSuspicious)
        {
            return !isOlder && NoteDamage("t_checksum", "not that of a block of a committed transaction");
        }

        if (_interrupted is not null)
        {
            return !isOlder && NoteDamage("h_chksum", $"wrong in {_interrupted}, and {_walk.Sequence} was committed after it");
        }

        bool isSound = CommitBlock.IsSound(_format, _walk.Current) && CommitBlock.IsSumSound(_format, _walk.Current, _sum);
        if (!isSound && isOlder)
        {
            return false;
        }

        if (!isSound || (_bad.Count > 0 && _format.IsCommitAsync))
        {
            _interrupted = _walk.Sequence;
            Begin(time);
            return _format.IsCommitAsync || NoteDamage("h_chksum", "not that of the transaction");
        }

        return AddTransaction(time);
    }

    private bool AddTransaction(ulong time)
    {
        if (_wild is not null || _found.BadCopies.Count + _bad.Count > MaxBadCopies)
        {
            _found.Damage = _wild ?? Damaged("t_checksum", "wrong in too many blocks");
            return false;
        }

        _found.CopyCount += _copies;
        _found.RevokeCount += _revokes;
        _found.BadCopies.UnionWith(_bad);
        Begin(time);
        (_found.End, _found.EndBlock) = (_walk.Sequence, _walk.Next);
        return true;
    }

    private void Begin(ulong time)
    {
        _lastTime = time;
        _walk.Sequence = _walk.Sequence.Next;
        _sum = CommitBlock.EmptySum;
        _bad.Clear();
        (_copies, _revokes, _wild) = (0, 0, null);
    }

    /// <summary>Always false: nothing behind it counts.</summary>
    private bool NoteDamage(string field, string found)
    {
        _found.Damage ??= Damaged(field, found);
        return false;
    }

    private CorruptVolumeException Damaged(string field, string found) => new(Structure, $"{_walk.Sequence}, block {_walk.Block}", field, found);
}

using Penstock.Journal.Format;

namespace Penstock.Journal.Recovery;

/// <summary>
/// The second and the third pass of a recovery: which copy of each block is the newest that was not revoked. A log with very many blocks is taken in
/// parts, every block of the volume belonging to one, so that memory stays bounded.
/// </summary>
internal sealed class ReplayMap
{
    /// <summary>Blocks of one part: some 30 bytes each.</summary>
    public const long DefaultBlocksOfPart = 1 << 20;

    private readonly LogArea _area;
    private readonly LogReader _reader;
    private readonly LogContents _contents;
    private readonly LogFormat _format;

    public ReplayMap(LogArea area, LogReader reader, LogContents contents, long blocksOfPart)
    {
        _area = area;
        _reader = reader;
        _contents = contents;
        _format = new LogFormat(area.Superblock);
        PartCount = (ulong)(Math.Max(contents.CopyCount, contents.RevokeCount) / blocksOfPart) + 1;
    }

    /// <summary>How many parts there are.</summary>
    public ulong PartCount { get; }

    /// <summary>How many copies were revoked, of the parts built so far.</summary>
    public long RevokedCount { get; private set; }

    /// <summary>A copy that would be replayed and is not what its tag tells of; null if none was met.</summary>
    public CorruptVolumeException? Damage { get; private set; }

    /// <summary>The newest copies of the blocks of one part.</summary>
    /// <exception cref="DeviceException">A block of the log could not be read.</exception>
    public async ValueTask<Dictionary<ulong, LoggedCopy>> BuildAsync(ulong part)
    {
        Dictionary<ulong, LogSequence> revokes = await CollectRevokesAsync(part).ConfigureAwait(false);
        var copies = new Dictionary<ulong, LoggedCopy>();
        var walk = new LogWalk(_area, _reader);
        while (await MoveAsync(walk).ConfigureAwait(false))
        {
            if (walk.Type == LogBlockType.Descriptor)
            {
                AddCopies(walk, part, revokes, copies);
            }
        }

        return copies;
    }

    private async ValueTask<Dictionary<ulong, LogSequence>> CollectRevokesAsync(ulong part)
    {
        var revokes = new Dictionary<ulong, LogSequence>();
        if (_contents.RevokeCount == 0)
        {
            return revokes;
        }

        var walk = new LogWalk(_area, _reader);
        while (await MoveAsync(walk).ConfigureAwait(false))
        {
            if (walk.Type == LogBlockType.Descriptor)
            {
                walk.Skip(DescriptorBlock.Count(_format, walk.Current));
            }
            else if (walk.Type == LogBlockType.Revoke)
            {
                AddRevokes(walk, part, revokes);
            }
        }

        return revokes;
    }

    /// <summary>The next block with a header of a transaction that counts.</summary>
    private async ValueTask<bool> MoveAsync(LogWalk walk)
    {
        if (walk.Type == LogBlockType.Commit)
        {
            walk.Sequence = walk.Sequence.Next;
        }

        return walk.Sequence.IsBefore(_contents.End) && await walk.MoveAsync().ConfigureAwait(false);
    }

    private void AddRevokes(LogWalk walk, ulong part, Dictionary<ulong, LogSequence> revokes)
    {
        RevokeBlock.TryReadCount(_format, walk.Current, out int count);
        for (int i = 0; i < count; i++)
        {
            ulong block = RevokeBlock.ReadBlock(_format, walk.Current, i);
            if (block % PartCount == part)
            {
                // The walk goes forward: the last one stays.
                revokes[block] = walk.Sequence;
            }
        }
    }

    private void AddCopies(LogWalk walk, ulong part, Dictionary<ulong, LogSequence> revokes, Dictionary<ulong, LoggedCopy> copies)
    {
        uint copy = walk.Next;
        int count = 0;
        foreach (BlockTag tag in DescriptorBlock.Read(_format, walk.Current))
        {
            if (tag.Block % PartCount == part)
            {
                AddCopy(tag, copy, walk.Sequence, revokes, copies);
            }

            copy = _area.Geometry.Advance(copy, 1);
            count++;
        }

        walk.Skip(count);
    }

    private void AddCopy(
        in BlockTag tag, uint copy, LogSequence sequence, Dictionary<ulong, LogSequence> revokes, Dictionary<ulong, LoggedCopy> copies)
    {
        if (revokes.TryGetValue(tag.Block, out LogSequence revoked) && !revoked.IsBefore(sequence))
        {
            RevokedCount++;
        }
        else if (_contents.BadCopies.Contains(copy))
        {
            Damage ??= new CorruptVolumeException("journal", $"{sequence}, block {copy}", "t_checksum", "not that of the block");
        }
        else
        {
            copies[tag.Block] = new LoggedCopy(copy, tag.IsEscaped);
        }
    }
}

/// <summary>The newest copy of a block of the volume.</summary>
/// <param name="Block">Which block of the journal it is.</param>
/// <param name="IsEscaped">Whether the journal's magic number stands in place of its first four bytes.</param>
internal readonly record struct LoggedCopy(uint Block, bool IsEscaped);

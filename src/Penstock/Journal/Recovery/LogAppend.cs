using Penstock.Journal.Format;

namespace Penstock.Journal.Recovery;

/// <summary>
/// Puts one transaction behind a log whose blocks are in their places: what a recovery has worked out reaches the volume as a whole or not at all, by the next
/// recovery. The log is moved there first, so that it has all the room there is.
/// </summary>
internal sealed class LogAppend : IDisposable
{
    private readonly LogArea _area;
    private readonly LogFormat _format;
    private readonly AlignedBuffer _buffer;
    private uint _next;
    private uint _sum = CommitBlock.EmptySum;

    public LogAppend(LogArea area)
    {
        _area = area;
        _format = new LogFormat(area.Superblock);
        _buffer = new AlignedBuffer(_format.BlockSize, Math.Max(4096, area.Device.MemoryAlignment));
    }

    /// <summary>Whether so many blocks of the volume fit the log at once.</summary>
    public bool HasRoom(int count)
    {
        int descriptors = (count + DescriptorBlock.Capacity(_format) - 1) / DescriptorBlock.Capacity(_format);
        return count + descriptors + 2 < _area.Geometry.Length;
    }

    /// <summary>Writes the transaction, durably. What the log held is in its place on the volume, durably.</summary>
    /// <param name="first">The block of the journal behind the log.</param>
    /// <param name="sequence">The transaction's number: the one behind the log's last.</param>
    /// <param name="blocks">Its blocks, by their number on the volume.</param>
    /// <param name="seconds">When it is committed, since 1970.</param>
    /// <exception cref="DeviceException">The journal cannot be written.</exception>
    public async ValueTask WriteAsync(uint first, LogSequence sequence, IReadOnlyDictionary<ulong, byte[]> blocks, ulong seconds)
    {
        (_area.Superblock.Start, _area.Superblock.Sequence) = (first, sequence.Value);
        StoreOutcome moved = await _area.WriteSuperblockAsync().ConfigureAwait(false);
        Require(moved.Fault, moved.Offset);
        _next = first;
        foreach (KeyValuePair<ulong, byte[]>[] chunk in blocks.Chunk(DescriptorBlock.Capacity(_format)))
        {
            await WriteChunkAsync(sequence, chunk).ConfigureAwait(false);
        }

        Require((await _area.Device.FlushAsync().ConfigureAwait(false)).Fault, -1);
        new CommitBlock(sequence, seconds, 0).Write(_format, _buffer.GetSpan(), _sum);
        await PutAsync(isThrough: true).ConfigureAwait(false);
    }

    public void Dispose() => ((IDisposable)_buffer).Dispose();

    private async ValueTask WriteChunkAsync(LogSequence sequence, KeyValuePair<ulong, byte[]>[] chunk)
    {
        var tags = new BlockTag[chunk.Length];
        for (int i = 0; i < chunk.Length; i++)
        {
            byte[] copy = chunk[i].Value;
            BlockTagFlags flags = LoggedBlock.MustEscape(copy) ? BlockTagFlags.Escaped : BlockTagFlags.None;
            if (flags != BlockTagFlags.None)
            {
                copy = [.. copy];
                LoggedBlock.Escape(copy);
            }

            tags[i] = new BlockTag(chunk[i].Key, flags, LoggedBlock.ComputeChecksum(_format, sequence, copy));
        }

        DescriptorBlock.Write(_format, _buffer.GetSpan(), sequence, tags);
        _sum = CommitBlock.SumUp(_sum, _buffer.GetSpan());
        await PutAsync().ConfigureAwait(false);
        for (int i = 0; i < chunk.Length; i++)
        {
            chunk[i].Value.CopyTo(_buffer.GetSpan());
            if (tags[i].IsEscaped)
            {
                LoggedBlock.Escape(_buffer.GetSpan());
            }

            _sum = CommitBlock.SumUp(_sum, _buffer.GetSpan());
            await PutAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask PutAsync(bool isThrough = false)
    {
        long offset = _area.OffsetOf(_next, out _);
        Require((await _area.Device.WriteAsync(offset, _buffer.Segment, isThrough).ConfigureAwait(false)).Fault, offset);
        _next = _area.Geometry.Advance(_next, 1);
    }

    private void Require(IoFault fault, long offset)
    {
        if (fault != IoFault.None)
        {
            throw new DeviceException(fault, _area.Device.Name, "what fast commits changed cannot be written to the journal", offset);
        }
    }
}

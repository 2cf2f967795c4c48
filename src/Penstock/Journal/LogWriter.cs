using System.Diagnostics;
using System.Runtime.CompilerServices;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Journal.Format;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Journal;

/// <summary>
/// Writes the blocks of one transaction to the log, in chunks: a descriptor with the copies it tells of, then revoke blocks. A chunk goes out while the
/// next is filled. The commit block is apart, since a flush comes before it. One transaction at a time.
/// </summary>
/// <remarks>
/// A commit block may be torn by a loss of power: its first sector there, behind it what an earlier round of the log left. Its checksum then is wrong, and who recovers (e2fsck, Linux)
/// takes the whole volume for damaged, though nobody was told that this transaction is durable. So where a device may tear a block, zeros are written to
/// that place first, together with the transaction's last blocks: all that means something is in the first sector.
/// </remarks>
internal sealed class LogWriter : IDeviceRequestOwner, IDisposable
{
    /// <summary>Memory for one chunk: large enough that a commit of many blocks is a few requests.</summary>
    public const int DefaultChunkBytes = 512 << 10;

    private const int MinBlocksInChunk = 2;
    private const int MaxInFlight = 4;

    private readonly LogArea _area;
    private readonly LogFormat _format;
    private readonly Scheduler _scheduler;
    private readonly int _blocksInChunk;
    private readonly int _blankBlocks;
    private readonly AlignedBuffer?[] _chunks = new AlignedBuffer?[MaxInFlight];
    private readonly WritesInFlight _writes;
    private readonly BlockTag[] _tags;
    private readonly ulong[] _numbers;
    private uint _next;

    public LogWriter(LogArea area, LogFormat format, int chunkBytes = DefaultChunkBytes)
    {
        _area = area;
        _format = format;
        _scheduler = area.Device.Scheduler;
        _blocksInChunk = Math.Max(Math.Min(1 + DescriptorBlock.Capacity(format), chunkBytes / format.BlockSize), MinBlocksInChunk);
        _blankBlocks = area.Device.PhysicalBlockSize < format.BlockSize && !_scheduler.IsBroken(Rule.CommitBlockFollowsZeros) ? 1 : 0;
        _tags = new BlockTag[_blocksInChunk - 1];
        _numbers = new ulong[RevokeBlock.Capacity(format)];
        _writes = new WritesInFlight(area.Device, MaxInFlight);
    }

    /// <summary>The most blocks of the log that a transaction takes, its commit block too.</summary>
    public uint CountBlocks(int copies, int revoked)
    {
        int inChunk = _blocksInChunk - 1;
        int revokeBlocks = (revoked + _numbers.Length - 1) / _numbers.Length;
        return (uint)(copies + ((copies + inChunk - 1) / inChunk) + revokeBlocks + 1);
    }

    /// <summary>Writes all but the commit block, from a block of the journal on, and waits for it. Nothing is flushed.</summary>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public async ValueTask<StoreOutcome> WriteAsync(
        LogSequence sequence, uint first, List<MetadataBlock> blocks, IReadOnlyCollection<ulong> revoked)
    {
        _next = first;
        _writes.Begin();
        for (int done = 0; done < blocks.Count && !_writes.Outcome.IsFailed;)
        {
            int count = Math.Min(blocks.Count - done, _blocksInChunk - 1);
            int chunk = await _writes.TakeAsync().ConfigureAwait(false);
            FillCopies(Memory(chunk), sequence, blocks, done, count);
            done += count;
            SendFilled(chunk, count + 1, isLast: done == blocks.Count && revoked.Count == 0);
        }

        if (revoked.Count > 0 && !_writes.Outcome.IsFailed)
        {
            await WriteRevokedAsync(sequence, revoked).ConfigureAwait(false);
        }

        if (!_scheduler.IsBroken(Rule.LogBeforeCommitBlock))
        {
            await _writes.DrainAsync().ConfigureAwait(false);
        }

        return _writes.Outcome;
    }

    /// <summary>Writes the block that makes the transaction count, durably.</summary>
    /// <param name="commit">What it says.</param>
    /// <param name="block">The block of the journal that it takes: the one behind the transaction's others.</param>
    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    public async ValueTask<StoreOutcome> CommitAsync(CommitBlock commit, uint block)
    {
        int chunk = await _writes.TakeAsync().ConfigureAwait(false);
        IoSegment memory = Memory(chunk).Segment.Slice(0, _format.BlockSize);
        commit.Write(_format, memory.Bytes);
        _writes.Expect(chunk, 1);
        long offset = _area.OffsetOf(block, out _);
        bool isThrough = !_scheduler.IsBroken(Rule.CommitBlockIsDurable);
        IoResult written = await _area.Device.WriteAsync(offset, memory, isThrough).ConfigureAwait(false);
        _writes.Completed(chunk, default);

        // Whether the block is on the device is not known: the transaction may be replayed.
        await _writes.DrainAsync().ConfigureAwait(false);
        return StoreOutcome.OfWrite(written.Fault, offset).And(_writes.Outcome) with { IsFinal = written.IsFailed || _writes.Outcome.IsFinal };
    }

    void IDeviceRequestOwner.RequestCompleted(DeviceRequest request, IoResult result)
    {
        int chunk = (int)request.Tag;
        IoFault fault = result.Bytes < request.Length && !result.IsFailed ? IoFault.DeviceFailed : result.Fault;
        long offset = request.Offset;
        request.Return();
        _writes.Completed(chunk, StoreOutcome.OfWrite(fault, offset) with { Step = "the log could not be written" });
    }

    public void Dispose()
    {
        Debug.Assert(_writes.IsIdle, "Memory is freed when no request is in flight.");
        Abandon();
    }

    /// <summary>Frees the memory; the device is gone.</summary>
    public void Abandon()
    {
        foreach (AlignedBuffer? chunk in _chunks)
        {
            ((IDisposable?)chunk)?.Dispose();
        }
    }

    /// <summary>Copies the blocks of one descriptor, and fills the descriptor in front of them.</summary>
    private void FillCopies(AlignedBuffer chunk, LogSequence sequence, List<MetadataBlock> blocks, int first, int count)
    {
        Span<byte> memory = chunk.GetSpan();
        for (int i = 0; i < count; i++)
        {
            MetadataBlock block = blocks[first + i];
            Span<byte> copy = memory.Slice((i + 1) * _format.BlockSize, _format.BlockSize);
            block.CopyTo(copy);
            BlockTagFlags flags = BlockTagFlags.None;
            if (LoggedBlock.MustEscape(copy) && !_scheduler.IsBroken(Rule.MagicIsEscaped))
            {
                LoggedBlock.Escape(copy);
                flags = BlockTagFlags.Escaped;
            }

            _tags[i] = new BlockTag(block.Number.Value, flags, LoggedBlock.ComputeChecksum(_format, sequence, copy));
        }

        DescriptorBlock.Write(_format, memory[.._format.BlockSize], sequence, _tags.AsSpan(0, count));
    }

    private async ValueTask WriteRevokedAsync(LogSequence sequence, IReadOnlyCollection<ulong> revoked)
    {
        int filled = 0;
        int left = revoked.Count;
        foreach (ulong number in revoked)
        {
            _numbers[filled++] = number;
            left--;
            if (filled == _numbers.Length || left == 0)
            {
                int chunk = await _writes.TakeAsync().ConfigureAwait(false);
                RevokeBlock.Write(_format, Memory(chunk).GetSpan()[.._format.BlockSize], sequence, _numbers.AsSpan(0, filled));
                SendFilled(chunk, 1, isLast: left == 0);
                filled = 0;
            }
        }
    }

    private AlignedBuffer Memory(int chunk) =>
        _chunks[chunk] ??= new AlignedBuffer((_blocksInChunk + _blankBlocks) * _format.BlockSize, Math.Max(4096, _area.Device.MemoryAlignment));

    /// <summary>Sends the first blocks of a chunk, the transaction's last with zeros where its commit block will be.</summary>
    private void SendFilled(int chunk, int count, bool isLast)
    {
        int blanks = isLast ? _blankBlocks : 0;
        Memory(chunk).GetSpan().Slice(count * _format.BlockSize, blanks * _format.BlockSize).Clear();
        Send(chunk, count + blanks);
    }

    /// <summary>Sends a filled chunk to the next blocks of the log: a request for each piece that lies in a row.</summary>
    private void Send(int chunk, int count)
    {
        IoSegment memory = Memory(chunk).Segment;
        int parts = 0;
        Span<(long Offset, uint First, uint Count)> pieces = stackalloc (long, uint, uint)[count];
        for (uint done = 0; done < count;)
        {
            long offset = _area.OffsetOf(_next, out uint inRow);
            uint here = Math.Min(inRow, (uint)count - done);
            pieces[parts++] = (offset, done, here);
            done += here;
            _next = _area.Geometry.Advance(_next, here);
        }

        _writes.Expect(chunk, parts);
        foreach ((long offset, uint first, uint length) in pieces[..parts])
        {
            DeviceRequest request = DeviceRequest.Rent(DeviceOperation.Write, offset);
            request.Append(memory.Slice((int)first * _format.BlockSize, (int)length * _format.BlockSize));
            request.SetOwner(this);
            request.Tag = chunk;
            _area.Device.Submit(request);
        }

        _area.Device.FlushSubmissions();
    }
}

using Penstock.Devices;
using Penstock.Journal.Format;

namespace Penstock.Journal.Recovery;

/// <summary>Copies blocks of the log to their places: batches are read in the order of the log and written in the order of the volume.</summary>
internal sealed class ReplayWriter : IDisposable
{
    private const int BatchBytes = 1 << 20;

    private readonly LogReader _reader;
    private readonly BlockDevice _volume;
    private readonly AlignedBuffer _buffer;
    private readonly int _blockSize;
    private readonly List<(ulong Place, int Slot)> _batch = [];
    private readonly List<Task<IoResult>> _writes = [];
    private readonly List<long> _offsets = [];

    public ReplayWriter(LogReader reader, BlockDevice volume, int blockSize)
    {
        _reader = reader;
        _volume = volume;
        _blockSize = blockSize;
        _buffer = new AlignedBuffer(Math.Max(BatchBytes, blockSize), Math.Max(4096, volume.MemoryAlignment));
    }

    /// <summary>Writes all copies; a flush is the caller's.</summary>
    /// <exception cref="DeviceException">A block could not be read or written.</exception>
    public async ValueTask WriteAsync(Dictionary<ulong, LoggedCopy> copies)
    {
        KeyValuePair<ulong, LoggedCopy>[] ordered = [.. copies];
        Array.Sort(ordered, static (a, b) => a.Value.Block.CompareTo(b.Value.Block));
        foreach ((ulong place, LoggedCopy copy) in ordered)
        {
            await _reader.LoadAsync(copy.Block).ConfigureAwait(false);
            Add(place, copy.IsEscaped);
            if ((_batch.Count + 1) * _blockSize > _buffer.Length)
            {
                await SendAsync().ConfigureAwait(false);
            }
        }

        await SendAsync().ConfigureAwait(false);
    }

    public void Dispose() => ((IDisposable)_buffer).Dispose();

    private void Add(ulong place, bool isEscaped)
    {
        Span<byte> block = _buffer.GetSpan().Slice(_batch.Count * _blockSize, _blockSize);
        _reader.Current.CopyTo(block);
        if (isEscaped)
        {
            LoggedBlock.Unescape(block);
        }

        _batch.Add((place, _batch.Count));
    }

    private async ValueTask SendAsync()
    {
        _batch.Sort();
        for (int first = 0; first < _batch.Count;)
        {
            int end = first + 1;
            while (end < _batch.Count && _batch[end].Place == _batch[first].Place + (ulong)(end - first))
            {
                end++;
            }

            Submit(first, end);
            first = end;
        }

        _volume.FlushSubmissions();
        IoFault fault = IoFault.None;
        long at = -1;
        for (int i = 0; i < _writes.Count; i++)
        {
            IoResult written = await _writes[i].ConfigureAwait(false);
            (fault, at) = fault == IoFault.None && written.IsFailed ? (written.Fault, _offsets[i]) : (fault, at);
        }

        _batch.Clear();
        _writes.Clear();
        _offsets.Clear();
        if (fault != IoFault.None)
        {
            throw new DeviceException(fault, _volume.Name, "a block of the journal could not be replayed", at);
        }
    }

    private void Submit(int first, int end)
    {
        long offset = (long)_batch[first].Place * _blockSize;
        DeviceRequest request = DeviceRequest.Rent(DeviceOperation.Write, offset);
        for (int i = first; i < end; i++)
        {
            request.Append(_buffer.Segment.Slice(_batch[i].Slot * _blockSize, _blockSize));
        }

        // A request that was never submitted has no scheduler yet for who waits for it.
        ValueTask<IoResult> writing = request.AsTask();
        _volume.Submit(request);
        _offsets.Add(offset);
        _writes.Add(writing.AsTask());
    }
}

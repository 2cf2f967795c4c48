using Penstock.Journal.Format;

namespace Penstock.Journal.Recovery;

/// <summary>Reads the blocks of a journal, a stretch of them at a time: nearly all of a recovery goes forward through the log.</summary>
internal sealed class LogReader : IDisposable
{
    private const int WindowBytes = 1 << 20;

    private readonly LogArea _area;
    private readonly AlignedBuffer _window;
    private readonly int _blockSize;
    private uint _first;
    private uint _count;

    public LogReader(LogArea area)
    {
        _area = area;
        _blockSize = area.Superblock.BlockSize;
        _window = new AlignedBuffer(Math.Max(WindowBytes, _blockSize), Math.Max(4096, area.Device.MemoryAlignment));
    }

    /// <summary>Makes a block of the journal the one that <see cref="Current"/> is.</summary>
    /// <exception cref="DeviceException">It could not be read.</exception>
    public async ValueTask LoadAsync(uint block)
    {
        if (block - _first >= _count || block < _first)
        {
            await FillAsync(block).ConfigureAwait(false);
        }

        Block = block;
    }

    /// <summary>The number of the current block in the journal.</summary>
    public uint Block { get; private set; }

    /// <summary>The bytes of the current block, until the next is loaded.</summary>
    public Span<byte> Current => _window.GetSpan().Slice((int)(Block - _first) * _blockSize, _blockSize);

    /// <summary>Reads everything anew: the journal was written.</summary>
    public void Forget() => _count = 0;

    public void Dispose() => ((IDisposable)_window).Dispose();

    private async ValueTask FillAsync(uint block)
    {
        _count = 0;
        long offset = _area.OffsetOf(block, out uint inRow);
        uint count = Math.Min(inRow, (uint)(_window.Length / _blockSize));
        IoResult read = await _area.Device.ReadAsync(offset, _window.Segment.Slice(0, (int)count * _blockSize)).ConfigureAwait(false);
        uint whole = (uint)(read.Bytes / _blockSize);
        if (whole == 0)
        {
            throw new DeviceException(read.Fault, _area.Device.Name, $"block {block} of the journal could not be read", offset);
        }

        // What lies behind a bad sector may be of no interest.
        (_first, _count) = (block, whole);
    }
}

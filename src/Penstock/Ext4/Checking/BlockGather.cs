using Penstock.Memory;

namespace Penstock.Ext4.Checking;

/// <summary>Reads scattered blocks with as few requests as their places allow, all of them at once. Used by one activity.</summary>
internal sealed class BlockGather(VolumeStore store, int capacity) : IDisposable
{
    private readonly AlignedBuffer _buffer = store.Allocate(capacity);
    private readonly ulong[] _blocks = new ulong[capacity];
    private readonly int[] _order = new int[capacity];
    private readonly int[] _slots = new int[capacity];
    private readonly bool[] _failed = new bool[capacity];
    private readonly List<(int Begin, int Count, Task<bool> Reading)> _reads = [];

    public int Capacity => capacity;

    public int Count { get; private set; }

    public void Dispose() => ((IDisposable)_buffer).Dispose();

    public void Start() => Count = 0;

    /// <summary>Asks for a block; its number among those asked for is how it is found later.</summary>
    public int Add(ulong block)
    {
        _blocks[Count] = block;
        return Count++;
    }

    public async ValueTask ReadAsync()
    {
        for (int i = 0; i < Count; i++)
        {
            (_order[i], _failed[i]) = (i, false);
        }

        Array.Sort(_order, 0, Count, Comparer<int>.Create((a, b) => _blocks[a].CompareTo(_blocks[b])));
        _reads.Clear();
        for (int begin = 0; begin < Count;)
        {
            int end = begin + 1;
            while (end < Count && _blocks[_order[end]] == _blocks[_order[end - 1]] + 1)
            {
                end++;
            }

            IoSegment part = _buffer.Segment.Slice(begin * store.BlockSize, (end - begin) * store.BlockSize);
            _reads.Add((begin, end - begin, store.ReadAsync(_blocks[_order[begin]], end - begin, part).AsTask()));
            begin = end;
        }

        foreach ((int begin, int count, Task<bool> reading) in _reads)
        {
            bool isRead = await reading.ConfigureAwait(false);
            for (int slot = begin; slot < begin + count; slot++)
            {
                _slots[_order[slot]] = slot;
                _failed[_order[slot]] = !isRead;
            }
        }
    }

    public bool IsFailed(int index) => _failed[index];

    public IoSegment Segment(int index) => _buffer.Segment.Slice(_slots[index] * store.BlockSize, store.BlockSize);

    public Span<byte> Bytes(int index) => _buffer.GetSpan().Slice(_slots[index] * store.BlockSize, store.BlockSize);
}

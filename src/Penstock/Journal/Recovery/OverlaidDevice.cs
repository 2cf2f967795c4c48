using Penstock.Devices;
using Penstock.Journal.Format;
using Penstock.Memory;

namespace Penstock.Journal.Recovery;

/// <summary>
/// A volume whose log was not replayed, seen as if it had been: blocks of which the log has a newer copy are read from there. Nothing is written, and
/// nothing but the map is kept in memory, and the few blocks that fast commits change. The journal stays the caller's, and open as long as this.
/// </summary>
internal sealed class OverlaidDevice : ReadOnlyDevice
{
    /// <summary>The most blocks: with some 12 bytes for each.</summary>
    public const int MaxBlocks = 8 << 20;

    private readonly LogArea _area;
    private readonly int _blockSize;
    private readonly ulong[] _places;
    private readonly LoggedCopy[] _copies;
    private readonly IReadOnlyDictionary<ulong, byte[]> _changed;

    /// <param name="inner">The volume.</param>
    /// <param name="area">The journal.</param>
    /// <param name="copies">Which blocks of the volume the log has copies of.</param>
    /// <param name="changed">Blocks that are newer still, with their bytes.</param>
    public OverlaidDevice(
        BlockDevice inner, LogArea area, IReadOnlyDictionary<ulong, LoggedCopy> copies, IReadOnlyDictionary<ulong, byte[]>? changed = null)
        : base(inner)
    {
        _area = area;
        _blockSize = area.Superblock.BlockSize;
        _changed = changed ?? new Dictionary<ulong, byte[]>();
        _places = [.. copies.Keys, .. _changed.Keys.Where(place => !copies.ContainsKey(place))];
        Array.Sort(_places);
        _copies = [.. _places.Select(copies.GetValueOrDefault)];
    }

    /// <summary>The same volume with blocks that are newer than the log's.</summary>
    public OverlaidDevice With(IReadOnlyDictionary<ulong, byte[]> changed) =>
        new(Inner, _area, _places.Zip(_copies).ToDictionary(p => p.First, p => p.Second), changed);

    public override string Description => $"{Inner.Description}; {_places.Length} blocks of the journal laid over it, read-only";

    protected override void InnerCompleted(DeviceRequest request, IoResult result)
    {
        int first = FindFirst(request.Offset);
        if (first == _places.Length || OffsetOf(first) >= request.Offset + request.Length)
        {
            request.Complete(result);
        }
        else
        {
            Scheduler.Start(() => PatchAsync(request, result, first));
        }
    }

    /// <summary>The first block of the log that ends behind <paramref name="offset"/>.</summary>
    private int FindFirst(long offset)
    {
        int found = Array.BinarySearch(_places, (ulong)(offset / _blockSize));
        return found >= 0 ? found : ~found;
    }

    private long OffsetOf(int index) => (long)_places[index] * _blockSize;

    /// <summary>Reads the newer copies over what was read, as far as that came.</summary>
    private async Task PatchAsync(DeviceRequest request, IoResult result, int index)
    {
        IoResult outcome = result;
        using (var buffer = new AlignedBuffer(_blockSize, Math.Max(4096, _area.Device.MemoryAlignment)))
        {
            for (; index < _places.Length && OffsetOf(index) < request.Offset + outcome.Bytes; index++)
            {
                IoFault fault = await ReadCopyAsync(index, buffer).ConfigureAwait(false);
                if (fault != IoFault.None)
                {
                    outcome = new IoResult(Math.Max(OffsetOf(index) - request.Offset, 0), fault);
                    break;
                }

                // The request's memory may be a user's.
                await Scheduler.SwitchToUserPlace();
                CopyTo(request, OffsetOf(index), buffer.GetSpan());
            }
        }

        Scheduler.Post(_ => request.Complete(outcome), null);
    }

    private async ValueTask<IoFault> ReadCopyAsync(int index, AlignedBuffer buffer)
    {
        if (_changed.TryGetValue(_places[index], out byte[]? changed))
        {
            changed.CopyTo(buffer.GetSpan());
            return IoFault.None;
        }

        IoResult read = await _area.Device.ReadAsync(_area.OffsetOf(_copies[index].Block, out _), buffer.Segment).ConfigureAwait(false);
        if (!read.IsFailed && _copies[index].IsEscaped)
        {
            LoggedBlock.Unescape(buffer.GetSpan());
        }

        return read.Fault;
    }

    /// <summary>Copies the part of a block that the request covers into its memory.</summary>
    private static void CopyTo(DeviceRequest request, long offset, ReadOnlySpan<byte> block)
    {
        long start = request.Offset;
        foreach (IoSegment segment in request.Segments)
        {
            long from = Math.Max(start, offset);
            long to = Math.Min(start + segment.Length, offset + block.Length);
            if (from < to)
            {
                block[(int)(from - offset)..(int)(to - offset)].CopyTo(segment.Bytes[(int)(from - start)..]);
            }

            start += segment.Length;
        }
    }
}

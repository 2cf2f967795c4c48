using Penstock.Devices;
using Penstock.Ext4.Format;
using Penstock.Memory;

namespace Penstock.Ext4.Repairing;

/// <summary>
/// The one way in which a repair writes, and where fast commits are applied. What is written stays in memory, where every later read sees it, until <see cref="CommitAsync"/>: the old
/// contents go to the undo file and are durable there before the first of them is overwritten. What is not committed was never there.
/// </summary>
/// <remarks>It does not own the device under it.</remarks>
internal sealed class HeldWritesDevice(BlockDevice inner) : ForwardingDevice(inner.Name, inner)
{
    /// <summary>Bytes of a unit: what is held, saved and written together.</summary>
    public const int UnitSize = 4096;

    private readonly SortedDictionary<long, byte[]> _units = [];

    /// <summary>
    /// Units of which something was written through: what says that all before it is on the device, as the emptied log does. They go behind a flush, and before the primary
    /// superblock, which says that the volume is sound.
    /// </summary>
    private readonly HashSet<long> _last = [];

    public override string Description => $"{Inner.Description}; writes are held back";

    public override bool IsReadOnly => false;

    public override bool CanDiscard => false;

    /// <summary>Bytes held back.</summary>
    public long HeldBytes
    {
        get
        {
            lock (_units)
            {
                return (long)_units.Count * UnitSize;
            }
        }
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Forgets what is held.</summary>
    public void Drop()
    {
        lock (_units)
        {
            _units.Clear();
            _last.Clear();
        }
    }

    /// <summary>Writes what is held to the device, and holds nothing afterwards.</summary>
    /// <param name="undo">Where the old contents go; null if nobody wants them.</param>
    /// <exception cref="DeviceException">The device refuses; what it has by then can be repaired again, or undone.</exception>
    public async ValueTask CommitAsync(UndoFile? undo)
    {
        var changed = new List<(long Unit, byte[] Bytes)>();
        using var buffer = new AlignedBuffer(UnitSize, Math.Max(4096, Inner.MemoryAlignment));
        foreach ((long unit, byte[] bytes) in _units)
        {
            await ReadUnitAsync(unit, buffer).ConfigureAwait(false);
            if (buffer.GetSpan()[..LengthOf(unit)].SequenceEqual(bytes.AsSpan(0, LengthOf(unit))))
            {
                continue;
            }

            changed.Add((unit, bytes));
            if (undo is not null)
            {
                await undo.SaveAsync(unit, buffer.Memory[..LengthOf(unit)]).ConfigureAwait(false);
            }
        }

        if (changed.Count > 0)
        {
            if (undo is not null)
            {
                await undo.SealAsync().ConfigureAwait(false);
            }

            await WriteAllAsync(changed, buffer).ConfigureAwait(false);
        }

        Drop();
    }

    /// <summary>The blocks of a volume that differ from the device's, with their bytes, by their number. Everything stays held.</summary>
    /// <param name="blockSize">Bytes of a block.</param>
    /// <exception cref="DeviceException">The device could not be read.</exception>
    public async ValueTask<SortedDictionary<ulong, byte[]>> ListChangesAsync(int blockSize)
    {
        var changes = new SortedDictionary<ulong, byte[]>();
        using var held = new AlignedBuffer(blockSize, Math.Max(4096, Inner.MemoryAlignment));
        using var before = new AlignedBuffer(blockSize, Math.Max(4096, Inner.MemoryAlignment));
        foreach (long unit in _units.Keys)
        {
            for (long offset = unit * UnitSize / blockSize * blockSize; offset < (unit * UnitSize) + LengthOf(unit); offset += blockSize)
            {
                Require(await this.ReadAsync(offset, held.Segment).ConfigureAwait(false), offset);
                Require(await Inner.ReadAsync(offset, before.Segment).ConfigureAwait(false), offset);
                if (!held.GetSpan().SequenceEqual(before.GetSpan()))
                {
                    changes[(ulong)(offset / blockSize)] = held.GetSpan().ToArray();
                }
            }
        }

        return changes;
    }

    protected override void SubmitChecked(DeviceRequest request) => Scheduler.Start(() => ServeAsync(request));

    /// <summary>In three steps, a flush behind each. What stands beside the superblock in its unit, group descriptors, is of the first.</summary>
    private async ValueTask WriteAllAsync(List<(long Unit, byte[] Bytes)> changed, AlignedBuffer buffer)
    {
        if (changed[0].Unit == 0)
        {
            await ReadUnitAsync(0, buffer).ConfigureAwait(false);
            byte[] beside = [.. changed[0].Bytes];
            buffer.GetSpan().Slice(Superblock.VolumeOffset, Superblock.Size).CopyTo(beside.AsSpan(Superblock.VolumeOffset));
            await WriteUnitAsync(0, beside, buffer).ConfigureAwait(false);
        }

        await WriteStepAsync(changed.Where(c => c.Unit > 0 && !_last.Contains(c.Unit)), buffer).ConfigureAwait(false);
        await WriteStepAsync(changed.Where(c => c.Unit > 0 && _last.Contains(c.Unit)), buffer).ConfigureAwait(false);
        await WriteStepAsync(changed.Where(static c => c.Unit == 0), buffer).ConfigureAwait(false);
    }

    private async ValueTask WriteStepAsync(IEnumerable<(long Unit, byte[] Bytes)> units, AlignedBuffer buffer)
    {
        foreach ((long unit, byte[] bytes) in units)
        {
            await WriteUnitAsync(unit, bytes, buffer).ConfigureAwait(false);
        }

        await FlushInnerAsync().ConfigureAwait(false);
    }

    private async Task ServeAsync(DeviceRequest request)
    {
        IoResult result = request.Operation switch
        {
            DeviceOperation.Read => await ReadAllAsync(request).ConfigureAwait(false),
            DeviceOperation.Write or DeviceOperation.WriteThrough => await HoldAllAsync(request).ConfigureAwait(false),
            DeviceOperation.WriteZeroes => await HoldZeroesAsync(request).ConfigureAwait(false),
            _ => IoResult.Transferred(request.Length),
        };
        request.Complete(result);
    }

    private async ValueTask<IoResult> ReadAllAsync(DeviceRequest request)
    {
        long offset = request.Offset;
        for (int i = 0; i < request.Segments.Length; i++)
        {
            IoSegment segment = request.Segments[i];
            IoResult read = await Inner.ReadAsync(offset, segment).ConfigureAwait(false);
            long length = Overlay(offset, segment, read.IsFailed ? read.Bytes : segment.Length);
            if (length < segment.Length)
            {
                return new IoResult(offset + length - request.Offset, read.Fault);
            }

            offset += segment.Length;
        }

        return IoResult.Transferred(request.Length);
    }

    /// <summary>Puts what is held over what was read; returns how many bytes from the start are good, which may be more than were read.</summary>
    private long Overlay(long offset, IoSegment segment, long good)
    {
        lock (_units)
        {
            if (_units.Count == 0)
            {
                return good;
            }

            long end = offset + segment.Length;
            for (long unit = offset / UnitSize; unit * UnitSize < end; unit++)
            {
                if (_units.TryGetValue(unit, out byte[]? bytes))
                {
                    long from = Math.Max(offset, unit * UnitSize);
                    long to = Math.Min(end, (unit + 1) * UnitSize);
                    bytes.AsSpan((int)(from - (unit * UnitSize)), (int)(to - from)).CopyTo(segment.Bytes[(int)(from - offset)..]);
                    good = good >= from - offset ? Math.Max(good, to - offset) : good;
                }
            }
        }

        return good;
    }

    private async ValueTask<IoResult> HoldAllAsync(DeviceRequest request)
    {
        long offset = request.Offset;
        for (int i = 0; i < request.Segments.Length; i++)
        {
            IoSegment segment = request.Segments[i];
            IoFault fault = await HoldAsync(offset, segment.Length, segment, request.Operation == DeviceOperation.WriteThrough).ConfigureAwait(false);
            if (fault != IoFault.None)
            {
                return new IoResult(offset - request.Offset, fault);
            }

            offset += segment.Length;
        }

        return IoResult.Transferred(request.Length);
    }

    private async ValueTask<IoResult> HoldZeroesAsync(DeviceRequest request)
    {
        IoFault fault = await HoldAsync(request.Offset, request.Length, null, isThrough: false).ConfigureAwait(false);
        return fault == IoFault.None ? IoResult.Transferred(request.Length) : IoResult.Failed(fault);
    }

    /// <summary>Holds bytes, or zeros where there is no source.</summary>
    private async ValueTask<IoFault> HoldAsync(long offset, long length, IoSegment? source, bool isThrough)
    {
        using var buffer = new AlignedBuffer(UnitSize, Math.Max(4096, Inner.MemoryAlignment));
        long end = offset + length;
        for (long unit = offset / UnitSize; unit * UnitSize < end; unit++)
        {
            long from = Math.Max(offset, unit * UnitSize);
            long to = Math.Min(end, (unit * UnitSize) + LengthOf(unit));
            if (to - from < LengthOf(unit) && !IsHeld(unit))
            {
                IoFault fault = await ReadUnitAsync(unit, buffer).ConfigureAwait(false);
                if (fault != IoFault.None)
                {
                    return fault;
                }
            }

            Span<byte> target = Hold(unit, buffer.GetSpan(), isLast: isThrough).AsSpan((int)(from - (unit * UnitSize)), (int)(to - from));
            if (source is { } bytes)
            {
                bytes.Bytes.Slice((int)(from - offset), target.Length).CopyTo(target);
            }
            else
            {
                target.Clear();
            }
        }

        return IoFault.None;
    }

    private bool IsHeld(long unit)
    {
        lock (_units)
        {
            return _units.ContainsKey(unit);
        }
    }

    private byte[] Hold(long unit, ReadOnlySpan<byte> before, bool isLast)
    {
        lock (_units)
        {
            if (isLast)
            {
                _last.Add(unit);
            }

            if (!_units.TryGetValue(unit, out byte[]? held))
            {
                _units.Add(unit, held = before.ToArray());
            }

            return held;
        }
    }

    private int LengthOf(long unit) => (int)Math.Min(UnitSize, Length - (unit * UnitSize));

    private async ValueTask<IoFault> ReadUnitAsync(long unit, AlignedBuffer buffer)
    {
        IoResult result = await Inner.ReadAsync(unit * UnitSize, buffer.Segment.Slice(0, LengthOf(unit))).ConfigureAwait(false);
        return result.Fault;
    }

    private async ValueTask WriteUnitAsync(long unit, byte[] bytes, AlignedBuffer buffer)
    {
        bytes.CopyTo(buffer.GetSpan());
        IoResult result = await Inner.WriteAsync(unit * UnitSize, buffer.Segment.Slice(0, LengthOf(unit))).ConfigureAwait(false);
        Require(result, unit * UnitSize);
    }

    private async ValueTask FlushInnerAsync() => Require(await Inner.FlushAsync().ConfigureAwait(false), -1);

    private void Require(IoResult result, long offset)
    {
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, Name, "a repair cannot be written", offset);
        }
    }
}

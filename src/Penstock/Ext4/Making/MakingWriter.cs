using Penstock.Devices;
using Penstock.Memory;

namespace Penstock.Ext4.Making;

/// <summary>
/// Writes a new volume's structures with a few requests in flight. Bytes are copied at once, so the caller's buffer is free again when a call
/// returns. Writes of one making must not overlap; <see cref="DrainAsync"/> stands between those that do.
/// </summary>
internal sealed class MakingWriter : IAsyncDisposable
{
    /// <summary>The most that one call may write.</summary>
    public const int MaxLength = 256 * 1024;

    private const int Depth = 8;

    private readonly BlockDevice device;
    private readonly AlignedBuffer[] buffers = new AlignedBuffer[Depth];
    private readonly Task<IoResult>?[] inFlight = new Task<IoResult>?[Depth];
    private readonly long[] offsets = new long[Depth];
    private int next;

    public MakingWriter(BlockDevice device)
    {
        this.device = device;
        for (int i = 0; i < Depth; i++)
        {
            buffers[i] = new AlignedBuffer(MaxLength + (2 * device.LogicalBlockSize), Math.Max(device.MemoryAlignment, 4096));
        }
    }

    /// <summary>Bytes written so far.</summary>
    public long Written { get; private set; }

    public async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, MaxLength);
        Written += bytes.Length;
        long unit = device.LogicalBlockSize;
        if (((offset | (uint)bytes.Length) & (unit - 1)) != 0)
        {
            await WritePartAsync(offset, bytes).ConfigureAwait(false);
            return;
        }

        int slot = await TakeSlotAsync().ConfigureAwait(false);
        bytes.Span.CopyTo(buffers[slot].GetSpan());
        Submit(slot, offset, bytes.Length);
    }

    /// <summary>Zeroes a range that no other write of this making touches: whole device blocks by the device, their parts by writing.</summary>
    public async ValueTask ZeroAsync(long offset, long length)
    {
        long unit = device.LogicalBlockSize;
        long end = offset + length;
        long first = Math.Min((offset + unit - 1) & ~(unit - 1), end);
        long last = Math.Max(end & ~(unit - 1), first);
        await WriteZeroBytesAsync(offset, first - offset).ConfigureAwait(false);
        if (last > first)
        {
            Check(await device.WriteZeroesAsync(first, last - first).ConfigureAwait(false), first);
        }

        await WriteZeroBytesAsync(last, end - last).ConfigureAwait(false);
    }

    /// <summary>Waits for all that was written.</summary>
    public async ValueTask DrainAsync()
    {
        for (int slot = 0; slot < Depth; slot++)
        {
            await WaitAsync(slot).ConfigureAwait(false);
        }
    }

    /// <summary>Waits for all that was written and makes it durable.</summary>
    public async ValueTask FlushAsync()
    {
        await DrainAsync().ConfigureAwait(false);
        IoResult result = await device.FlushAsync().ConfigureAwait(false);
        Check(result, -1);
    }

    public async ValueTask DisposeAsync()
    {
        for (int slot = 0; slot < Depth; slot++)
        {
            // After a failure the device may still own other buffers.
            if (inFlight[slot] is { } pending)
            {
                await pending.ConfigureAwait(false);
            }

            ((IDisposable)buffers[slot]).Dispose();
        }
    }

    // A device block larger than the volume's: read it, change it, write it back, alone.
    private async ValueTask WritePartAsync(long offset, ReadOnlyMemory<byte> bytes)
    {
        await DrainAsync().ConfigureAwait(false);
        long unit = device.LogicalBlockSize;
        long start = offset & ~(unit - 1);
        int length = (int)(((offset + bytes.Length + unit - 1) & ~(unit - 1)) - start);
        IoSegment segment = buffers[0].Segment.Slice(0, length);
        Check(await device.ReadAsync(start, segment).ConfigureAwait(false), start);
        bytes.Span.CopyTo(segment.Bytes[(int)(offset - start)..]);
        Check(await device.WriteAsync(start, segment).ConfigureAwait(false), start);
    }

    private ValueTask WriteZeroBytesAsync(long offset, long length) =>
        length > 0 ? WriteAsync(offset, new byte[length]) : ValueTask.CompletedTask;

    private void Submit(int slot, long offset, int length)
    {
        offsets[slot] = offset;
        inFlight[slot] = device.WriteAsync(offset, buffers[slot].Segment.Slice(0, length)).AsTask();
    }

    private async ValueTask<int> TakeSlotAsync()
    {
        int slot = next;
        next = (next + 1) % Depth;
        await WaitAsync(slot).ConfigureAwait(false);
        return slot;
    }

    private async ValueTask WaitAsync(int slot)
    {
        if (inFlight[slot] is { } pending)
        {
            inFlight[slot] = null;
            Check(await pending.ConfigureAwait(false), offsets[slot]);
        }
    }

    private void Check(IoResult result, long offset)
    {
        if (result.IsFailed)
        {
            throw new DeviceException(result.Fault, device.Name, $"the volume could not be made: {result.Fault.Describe()}", offset);
        }
    }
}

using System.Diagnostics;
using System.Runtime.InteropServices;
using Penstock.Devices;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Journal;

/// <summary>
/// Writes metadata blocks in their places: copies each under its latch into staging memory, neighbours side by side, and keeps a bounded number
/// of requests in flight. One batch at a time.
/// </summary>
internal abstract class MetadataWriter : IDeviceRequestOwner, IDisposable
{
    /// <summary>Memory for one request: large enough that a run of blocks costs one, small enough that 32 of them are little.</summary>
    private const int SlotBytes = 64 << 10;

    private const int MaxInFlight = 32;

    private readonly VolumeMetadataCache _cache;
    private readonly BlockDevice _device;
    private readonly Slot[] _slots;
    private readonly WritesInFlight _writes;
    private List<MetadataBlock> _batch = [];

    protected MetadataWriter(VolumeMetadataCache cache)
    {
        _cache = cache;
        _device = cache.Device;
        _slots = new Slot[MaxInFlight];
        _writes = new WritesInFlight(_device, MaxInFlight);
    }

    protected VolumeMetadataCache Cache => _cache;

    private int BlocksInSlot => SlotBytes / _cache.BlockSize;

    /// <summary>
    /// Writes what was collected in ascending order, and leaves the batch empty. Every block of it is ended, written or not, when this returns.
    /// </summary>
    public async ValueTask<StoreOutcome> WriteAsync(List<MetadataBlock> batch)
    {
        batch.Sort(static (a, b) => a.Number.CompareTo(b.Number));
        _batch = batch;
        _writes.Begin();
        int next = 0;
        while (next < batch.Count && !_writes.Outcome.IsFinal)
        {
            int slot = await _writes.TakeAsync().ConfigureAwait(false);
            int count = CountRun(next);
            Send(slot, next, count);
            next += count;
        }

        await _writes.DrainAsync().ConfigureAwait(false);
        for (; next < batch.Count; next++)
        {
            End(batch[next], isWritten: false);
        }

        batch.Clear();
        return _writes.Outcome;
    }

    void IDeviceRequestOwner.RequestCompleted(DeviceRequest request, IoResult result)
    {
        int index = (int)request.Tag;
        long offset = request.Offset;
        request.Return();
        ref Slot slot = ref _slots[index];
        int written = (int)(result.Bytes / _cache.BlockSize);
        for (int i = 0; i < slot.Count; i++)
        {
            End(_batch[slot.First + i], isWritten: i < written);
        }

        IoFault fault = written < slot.Count && !result.IsFailed ? IoFault.DeviceFailed : result.Fault;
        _writes.Completed(index, StoreOutcome.OfWrite(fault, offset));
    }

    public void Dispose()
    {
        Debug.Assert(_writes.IsIdle, "Memory is freed when no request is in flight.");
        Abandon();
    }

    /// <summary>Frees the memory; the device is gone.</summary>
    public void Abandon()
    {
        foreach (Slot slot in _slots)
        {
            ((IDisposable?)slot.Memory)?.Dispose();
        }
    }

    /// <summary>The write of a block has ended, or will not be made. Unpins the block.</summary>
    protected abstract void End(MetadataBlock block, bool isWritten);

    /// <summary>How many blocks of the batch from <paramref name="first"/> on are neighbours and fit one request.</summary>
    private int CountRun(int first)
    {
        int limit = Math.Min(_batch.Count - first, BlocksInSlot);
        int count = 1;
        while (count < limit && _batch[first + count].Number == _batch[first].Number + (ulong)count)
        {
            count++;
        }

        return count;
    }

    private void Send(int index, int first, int count)
    {
        ref Slot slot = ref _slots[index];
        slot.Memory ??= new AlignedBuffer(SlotBytes, Math.Max(4096, _device.MemoryAlignment));
        slot.First = first;
        slot.Count = count;
        IoSegment memory = slot.Memory.Segment.Slice(0, count * _cache.BlockSize);
        for (int i = 0; i < count; i++)
        {
            _batch[first + i].CopyTo(memory.Slice(i * _cache.BlockSize, _cache.BlockSize).Bytes);
        }

        DeviceRequest request = DeviceRequest.Rent(DeviceOperation.Write, (long)_batch[first].Number.Value * _cache.BlockSize);
        request.Append(memory);
        request.SetOwner(this);
        request.Tag = index;
        _writes.Expect(index, 1);
        _device.Submit(request);
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Slot
    {
        public AlignedBuffer? Memory;
        public int First;
        public int Count;
    }
}

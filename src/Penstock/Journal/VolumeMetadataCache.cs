using System.Runtime.CompilerServices;
using Penstock.Devices;
using Penstock.Execution;
using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>
/// The metadata blocks of one volume over its device. The rules, cited where they are kept:
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>At most one object of the table for each block number; its content is the newest there is.</item>
/// <item>Several who want a block that is being read share the one read. A read that fails reaches all of them and leaves nothing behind.</item>
/// <item>A frame of memory is used for another block only when nobody holds a pin, the device is not filling it, and it owes no write.
/// A pin is raised from zero only under the latch.</item>
/// <item>A dirty block is never dropped, unless it was freed.</item>
/// <item>Only commits write, a copy each, and one commit at a time (<see cref="TransactionalJournal"/>). So when the transaction that freed a block
/// has committed, no write of the block is in flight or can begin: its new owner, file data say, is never overwritten by old metadata.</item>
/// <item>A block forgotten in the transaction that first dirtied it is never written. One that an older transaction has dirtied is still written
/// by that one's commit, so that what it points from is whole after a crash; rule 5 makes that safe.</item>
/// <item>The latch of a block may be held when the cache's is taken, never the other way round.</item>
/// </list>
/// States: see <see cref="MetadataState"/>.
/// </remarks>
internal sealed partial class VolumeMetadataCache : MetadataCache, IDeviceRequestOwner, IAsyncDisposable
{
    public const long DefaultBudget = 32L << 20;

    /// <summary>The blocks of one read request of a prefetch.</summary>
    private const int MaxBlocksInRead = 64;

    private readonly object _latch = new();
    private readonly BlockDevice _device;
    private readonly MetadataFrames _frames;
    private readonly Dictionary<VolumeBlock, MetadataBlock> _table = [];
    private readonly HashSet<MetadataBlock> _owed = [];
    private PooledCompletion<bool>? _drained;
    private int _writing;
    private int _dirty;
    private int _unstable;
    private int _readsInFlight;
    private bool _isDisposed;

    /// <param name="device">The device; stays the caller's.</param>
    /// <param name="blockSize">The size of a block, 1 to 64 KiB.</param>
    /// <param name="budget">How many bytes of clean blocks to keep.</param>
    public VolumeMetadataCache(BlockDevice device, int blockSize, long budget = DefaultBudget)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1024);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blockSize, 65536);
        _device = device;
        BlockSize = blockSize;
        BlockCount = (ulong)(device.Length / blockSize);
        _frames = new MetadataFrames(blockSize, device.MemoryAlignment, budget);
    }

    public override int BlockSize { get; }

    /// <summary>How many whole blocks the device has.</summary>
    public ulong BlockCount { get; }

    public BlockDevice Device => _device;

    /// <summary>How many blocks are dirty or on their way to the device.</summary>
    public int UnstableBlocks => Volatile.Read(ref _unstable);

    /// <summary>How many blocks the next commit has to write.</summary>
    public int DirtyBlocks => Volatile.Read(ref _dirty);

    /// <summary>How many blocks may be dirty before those who change more have to wait: half of the budget, the rest is for readers.</summary>
    public int DefaultUnstableLimit => (int)Math.Clamp(_frames.Budget / 2, 64, 1 << 20);

    /// <summary>How many blocks the table knows. For tests and diagnostics.</summary>
    public int CachedBlocks
    {
        get
        {
            lock (_latch)
            {
                return _table.Count;
            }
        }
    }

    /// <summary>How many frames of memory there are. For tests and diagnostics.</summary>
    public int Frames
    {
        get
        {
            lock (_latch)
            {
                return _frames.Count;
            }
        }
    }

    public override MetadataBlock? TryGet(VolumeBlock block)
    {
        lock (_latch)
        {
            if (!_table.TryGetValue(block, out MetadataBlock? found) || found.IsReading)
            {
                return null;
            }

            return Use(found);
        }
    }

    public override ValueTask<MetadataBlock> GetAsync(VolumeBlock block)
    {
        RequireInside(block);
        MetadataBlock? found;
        DeviceRequest? read = null;
        PooledCompletion<IoFault> waiter;
        lock (_latch)
        {
            RequireOpen();
            if (!_table.TryGetValue(block, out found))
            {
                found = Install(_frames.Take(_table), block, MetadataState.Loading);
                read = AppendRead(null, found);
            }
            else if (!found.IsReading)
            {
                return new ValueTask<MetadataBlock>(Use(found));
            }

            Use(found);
            waiter = PooledCompletion<IoFault>.Rent(_device.Scheduler);
            found.AddWaiter(waiter);
        }

        if (read is not null)
        {
            _device.Submit(read);
            _device.FlushSubmissions();
        }

        return AwaitReadAsync(found, block, waiter);
    }

    public override MetadataBlock GetNew(VolumeBlock block)
    {
        RequireInside(block);
        MetadataBlock fresh;
        lock (_latch)
        {
            RequireOpen();
            DetachStale(block);
            fresh = _frames.Take(_table);
            fresh.State = MetadataState.Forgotten;
            fresh.Pin();
        }

        // Zeroed before it can be found.
        fresh.Memory.Bytes.Clear();
        lock (_latch)
        {
            // A prefetch may have begun meanwhile.
            DetachStale(block);
            Install(fresh, block, MetadataState.Clean);
            fresh.IsJudged = true;
            fresh.IsNew = true;
            return fresh;
        }
    }

    public override void Prefetch(VolumeBlock first, int count)
    {
        if (first.Value >= BlockCount)
        {
            return;
        }

        ulong end = first.Value + Math.Min((ulong)Math.Max(count, 0), BlockCount - first.Value);
        end = Math.Min(end, first.Value + (ulong)(_frames.Budget / 4));
        for (ulong next = first.Value; next < end;)
        {
            if (TakeReadOfMissing(ref next, end) is not { } read)
            {
                break;
            }

            _device.Submit(read);
        }

        _device.FlushSubmissions();
    }

    void IDeviceRequestOwner.RequestCompleted(DeviceRequest request, IoResult result)
    {
        PooledCompletion<bool>? drained = null;
        lock (_latch)
        {
            MetadataBlock? block = _frames[(int)request.Tag];
            long remaining = result.Bytes;
            while (block is not null)
            {
                MetadataBlock? next = block.NextInRead;
                block.NextInRead = null;
                EndRead(block, remaining >= BlockSize ? IoFault.None : result.IsFailed ? result.Fault : IoFault.DeviceFailed);
                remaining -= BlockSize;
                block = next;
            }

            if (--_readsInFlight == 0)
            {
                (drained, _drained) = (_drained, null);
            }
        }

        request.Return();
        drained?.Complete(true);
    }

    /// <summary>Notes a change by <paramref name="transaction"/>. The caller holds a pin and the block's latch, so that a copy taken by a commit either
    /// has the change whole or comes before this note, which makes the block dirty again.</summary>
    internal void MarkDirty(MetadataBlock block, TransactionId transaction)
    {
        lock (_latch)
        {
            Require(block.Pins > 0, 3, "is edited without a pin", block);
            if (block.IsAwaitingCopy && HasLog && !_device.Scheduler.IsBroken(Rule.CommittingBlockIsFrozen))
            {
                block.Freeze();
            }

            switch (block.State)
            {
                case MetadataState.Clean:
                case MetadataState.Writing:
                    block.State = MetadataState.Dirty;
                    block.DirtiedBy = transaction;
                    Owe(block);
                    break;
                case MetadataState.Dirty:
                    break;
                default:
                    throw new InvalidOperationException($"Metadata {block.Number} is edited while {block.State}.");
            }

            block.ChangedBy = transaction;
        }
    }

    /// <summary>The block was freed in <paramref name="transaction"/> (rules 5 and 6).</summary>
    internal void Forget(VolumeBlock number, TransactionId transaction)
    {
        lock (_latch)
        {
            if (_table.TryGetValue(number, out MetadataBlock? block))
            {
                if (block.State == MetadataState.Dirty && (block.DirtiedBy >= transaction || HasLog))
                {
                    NoLongerOwe(block);
                }

                NoteForgotten(block, transaction);
                Detach(block);
            }
        }
    }

    /// <summary>
    /// Moves the blocks that <paramref name="transaction"/> or an older one has dirtied to Writing and adds them to <paramref name="batch"/>,
    /// pinned. The transaction's handles have stopped.
    /// </summary>
    /// <param name="transaction">The transaction.</param>
    /// <param name="batch">Where they go.</param>
    /// <param name="onlyNew">Only those that have never been written: nothing on the device leads to them yet.</param>
    internal void CollectDirty(TransactionId transaction, List<MetadataBlock> batch, bool onlyNew = false)
    {
        lock (_latch)
        {
            foreach (MetadataBlock block in _owed)
            {
                if (block.DirtiedBy <= transaction && (block.IsNew || !onlyNew))
                {
                    batch.Add(block);
                }
            }

            foreach (MetadataBlock block in batch)
            {
                block.Pin();
                _owed.Remove(block);
                block.IsOwed = false;
                block.IsAwaitingCopy = true;
                _writing++;
                if (block.State == MetadataState.Dirty)
                {
                    block.State = MetadataState.Writing;
                }
            }

            CountUnstable();
        }
    }

    /// <summary>Ends the write of a collected block, and unpins it. What failed is dirty again (rule 4).</summary>
    internal void EndWrite(MetadataBlock block, TransactionId transaction, bool isWritten)
    {
        lock (_latch)
        {
            _writing--;
            block.IsNew &= !isWritten;
            if (block.State == MetadataState.Writing)
            {
                block.State = isWritten ? MetadataState.Clean : MetadataState.Dirty;
            }

            if (!isWritten && block.State == MetadataState.Dirty)
            {
                block.DirtiedBy = transaction;
                Owe(block);
            }

            CountUnstable();
            block.Unpin();
        }
    }

    /// <summary>Waits for the reads in flight and frees the memory. Nobody uses the cache any more.</summary>
    public async ValueTask DisposeAsync()
    {
        PooledCompletion<bool>? drained = null;
        lock (_latch)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            if (_readsInFlight > 0)
            {
                drained = _drained = PooledCompletion<bool>.Rent(_device.Scheduler);
            }
        }

        if (drained is not null)
        {
            await drained.Task.ConfigureAwait(false);
        }

        lock (_latch)
        {
            _table.Clear();

            // Memory that somebody still points at is better lost than reused.
            if (_frames.AreAllUnpinned())
            {
                _frames.Dispose();
            }
        }
    }

    /// <summary>Frees the memory, whoever uses it: the device is gone, and no code of the volume runs any more.</summary>
    public void Abandon()
    {
        lock (_latch)
        {
            _isDisposed = true;
            _table.Clear();
            _frames.Dispose();
        }
    }

    private static void Require(bool condition, int rule, string problem, MetadataBlock block)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"Metadata {block.Number} ({block.State}) {problem}: rule {rule} of the metadata cache.");
        }
    }

    [AsyncMethodBuilder(typeof(PooledValueTaskBuilder<>))]
    private async ValueTask<MetadataBlock> AwaitReadAsync(MetadataBlock block, VolumeBlock number, PooledCompletion<IoFault> waiter)
    {
        IoFault fault = await waiter.Task.ConfigureAwait(false);
        if (fault == IoFault.None)
        {
            return block;
        }

        block.Unpin();
        throw new DeviceException(fault, _device.Name, $"metadata {number} could not be read: {fault.Describe()}", OffsetOf(number));
    }

    private static MetadataBlock Use(MetadataBlock block)
    {
        block.Pin();
        block.IsReferenced = true;
        return block;
    }

    private long OffsetOf(VolumeBlock block) => (long)block.Value * BlockSize;

    private void RequireInside(VolumeBlock block)
    {
        if (block.Value >= BlockCount)
        {
            throw new CorruptVolumeException("block pointer", _device.Name, "block", $"{block.Value}, beyond the {BlockCount} blocks of the device");
        }
    }

    private void RequireOpen() => ObjectDisposedException.ThrowIf(_isDisposed, this);

    /// <summary>Latch held. Makes the frame the block of the table (rule 1).</summary>
    private MetadataBlock Install(MetadataBlock frame, VolumeBlock number, MetadataState state)
    {
        Require(!frame.IsOwed && !frame.IsReading, 3, "is reused while in use", frame);
        frame.Number = number;
        frame.State = state;
        frame.IsJudged = false;
        frame.IsNew = false;
        frame.IsReading = state == MetadataState.Loading;
        frame.IsReferenced = true;
        frame.ChangedBy = default;
        _table.Add(number, frame);
        return frame;
    }

    /// <summary>Latch held. Takes the block out of the table; its frame follows when it is no longer in use (rule 3).</summary>
    private void Detach(MetadataBlock block)
    {
        _table.Remove(block.Number);
        block.State = MetadataState.Forgotten;
        if (block is { Pins: 0, IsReading: false, IsOwed: false, LoggedIn: null })
        {
            _frames.Release(block);
        }
    }

    /// <summary>Latch held. Makes way for a new block where an old one of that number is still in memory.</summary>
    private void DetachStale(VolumeBlock number)
    {
        if (_table.TryGetValue(number, out MetadataBlock? old))
        {
            if (old.State is MetadataState.Dirty or MetadataState.Writing)
            {
                throw new CorruptVolumeException("block bitmap", number.ToString(), "bit", "clear, though the block is in use as metadata");
            }

            // It was freed by a transaction that has committed, so no copy of it is wanted any more.
            RemoveLogged(old);
            Detach(old);
        }
    }

    /// <summary>Latch held. Adds the block to those a commit has to write.</summary>
    private void Owe(MetadataBlock block)
    {
        if (!block.IsOwed)
        {
            block.IsOwed = true;
            _owed.Add(block);
        }

        CountUnstable();
    }

    private void NoLongerOwe(MetadataBlock block)
    {
        block.IsOwed = false;
        _owed.Remove(block);
        CountUnstable();
    }

    private void CountUnstable()
    {
        _dirty = _owed.Count;
        _unstable = _dirty + _writing;
    }

    /// <summary>Latch held. Adds a block that is being loaded to a read, begun if there is none.</summary>
    private DeviceRequest AppendRead(DeviceRequest? read, MetadataBlock block)
    {
        if (read is null)
        {
            read = DeviceRequest.Rent(DeviceOperation.Read, OffsetOf(block.Number));
            read.SetOwner(this);
            read.Tag = block.Frame;
            _readsInFlight++;
        }

        read.Append(block.Memory);
        return read;
    }

    /// <summary>The read of the next run of blocks that are not in memory; null if there is none, or no room.</summary>
    private DeviceRequest? TakeReadOfMissing(ref ulong next, ulong end)
    {
        DeviceRequest? read = null;
        MetadataBlock? last = null;
        lock (_latch)
        {
            for (int count = 0; next < end && count < MaxBlocksInRead && !_isDisposed; next++)
            {
                var number = new VolumeBlock(next);
                if (_table.ContainsKey(number))
                {
                    if (read is not null)
                    {
                        break;
                    }

                    continue;
                }

                if (_frames.TryTakeWithinBudget(_table) is not { } frame)
                {
                    next = end;
                    break;
                }

                Install(frame, number, MetadataState.Loading);
                read = AppendRead(read, frame);
                if (last is not null)
                {
                    last.NextInRead = frame;
                }

                last = frame;
                count++;
            }
        }

        return read;
    }

    /// <summary>Latch held. Rule 2.</summary>
    private void EndRead(MetadataBlock block, IoFault fault)
    {
        block.IsReading = false;
        if (block.State == MetadataState.Loading)
        {
            if (fault == IoFault.None)
            {
                block.State = MetadataState.Clean;
            }
            else
            {
                Detach(block);
            }
        }
        else if (block.Pins == 0)
        {
            _frames.Release(block);
        }

        block.ReleaseWaiters(fault);
    }
}

using System.Buffers;
using Penstock.Execution;
using Penstock.Mapping;
using Penstock.Memory;

namespace Penstock.Journal;

/// <summary>
/// One block of metadata in the <see cref="MetadataCache"/>. Whoever got it holds a pin, which keeps it in memory until <see cref="Unpin"/>.
/// </summary>
/// <remarks>
/// Its bytes are read under the lock that guards the structure in it (an inode's mapping lock, a directory's inode lock, a group's lock) and
/// changed only through <see cref="Handle.Edit"/>. The latch in between keeps a copy for the device whole. The object belongs to a
/// frame of memory and is used for another block when nobody holds a pin.
/// </remarks>
internal sealed class MetadataBlock
{
    private readonly IoSegment _memory;
    private PooledCompletion<IoFault>? _firstWaiter;
    private List<PooledCompletion<IoFault>>? _moreWaiters;
    private byte[]? _frozen;
    private int _pins;

    internal MetadataBlock(VolumeBlock number, IoSegment memory)
    {
        Number = number;
        _memory = memory;
    }

    public VolumeBlock Number { get; internal set; }

    /// <summary>The content. The caller holds a pin, and the lock of the structure in the block.</summary>
    public ReadOnlySpan<byte> Bytes => _memory.Bytes;

    /// <summary>
    /// Whether the structure in the block has been judged (checksum, ranges) since it was read; set by the reader that did, so that it is
    /// judged once a load and not once a use. An edit leaves it: our own changes are right.
    /// </summary>
    public bool IsJudged { get; set; }

    /// <summary>How many hold the block in memory.</summary>
    public int Pins => Volatile.Read(ref _pins);

    /// <summary>What the cache knows of the block: see <see cref="MetadataState"/>. Guarded by the cache's latch.</summary>
    internal MetadataState State { get; set; }

    /// <summary>The transaction that changed the block last. Guarded by the cache's latch.</summary>
    internal TransactionId ChangedBy { get; set; }

    /// <summary>The oldest transaction with a change that is not on the device, while there is one. Guarded by the cache's latch.</summary>
    internal TransactionId DirtiedBy { get; set; }

    /// <summary>The index of the frame of memory. Never changes.</summary>
    internal int Frame { get; init; }

    /// <summary>Whether the device is filling the memory: also true of a block that was forgotten meanwhile. Guarded by the cache's latch.</summary>
    internal bool IsReading { get; set; }

    /// <summary>
    /// Whether it is in the set of blocks to be written: Dirty, or Forgotten by a transaction younger than one that changed it. Guarded
    /// by the cache's latch.
    /// </summary>
    internal bool IsOwed { get; set; }

    /// <summary>Whether it was begun empty and has not been written since. Guarded by the cache's latch.</summary>
    internal bool IsNew { get; set; }

    /// <summary>
    /// A batch of writes will copy the block as it is now, or was when it was frozen. Set under the cache's latch, cleared under the block's
    /// own; an edit holds both when it looks.
    /// </summary>
    internal bool IsAwaitingCopy { get; set; }

    /// <summary>
    /// The transaction whose copy in the log is the newest that was committed, while it is not in its place. Guarded by the cache's latch.
    /// </summary>
    internal LoggedTransaction? LoggedIn { get; set; }

    /// <summary>Whether it was used since the clock hand last passed. Guarded by the cache's latch.</summary>
    internal bool IsReferenced { get; set; }

    /// <summary>The next block of the same read request. Guarded by the cache's latch.</summary>
    internal MetadataBlock? NextInRead { get; set; }

    internal IoSegment Memory => _memory;

    /// <summary>By the frame: the runtime's own would be kept where the latch is, and make it a slow one.</summary>
    public override int GetHashCode() => Frame;

    public void Pin() => Interlocked.Increment(ref _pins);

    public void Unpin()
    {
        if (Interlocked.Decrement(ref _pins) < 0)
        {
            throw new InvalidOperationException($"Metadata {Number} was unpinned once too often.");
        }
    }

    internal Span<byte> LatchForEdit()
    {
        Monitor.Enter(this);
        return _memory.Bytes;
    }

    internal void UnlatchAfterEdit() => Monitor.Exit(this);

    /// <summary>Copies the content as it was when the copy was asked for, never in the middle of an edit.</summary>
    internal void CopyTo(Span<byte> destination)
    {
        lock (this)
        {
            IsAwaitingCopy = false;
            if (_frozen is not { } frozen)
            {
                _memory.Bytes.CopyTo(destination);
                return;
            }

            frozen.AsSpan(0, _memory.Length).CopyTo(destination);
            _frozen = null;
            ArrayPool<byte>.Shared.Return(frozen);
        }
    }

    /// <summary>Keeps the content for a copy that is still to be taken. The block's latch is held, and the change not made yet.</summary>
    internal void Freeze()
    {
        if (_frozen is null)
        {
            _frozen = ArrayPool<byte>.Shared.Rent(_memory.Length);
            _memory.Bytes.CopyTo(_frozen);
        }
    }

    /// <summary>The copy will not be taken after all.</summary>
    internal void CancelCopy()
    {
        lock (this)
        {
            IsAwaitingCopy = false;
            if (_frozen is { } frozen)
            {
                _frozen = null;
                ArrayPool<byte>.Shared.Return(frozen);
            }
        }
    }

    /// <summary>Adds somebody who waits for the read. Under the cache's latch.</summary>
    internal void AddWaiter(PooledCompletion<IoFault> waiter)
    {
        if (_firstWaiter is null)
        {
            _firstWaiter = waiter;
        }
        else
        {
            (_moreWaiters ??= []).Add(waiter);
        }
    }

    /// <summary>Tells all who wait how the read ended. Under the cache's latch: completions are only posted.</summary>
    internal void ReleaseWaiters(IoFault fault)
    {
        _firstWaiter?.Complete(fault);
        _firstWaiter = null;
        if (_moreWaiters is { Count: > 0 } more)
        {
            foreach (PooledCompletion<IoFault> waiter in more)
            {
                waiter.Complete(fault);
            }

            more.Clear();
        }
    }
}

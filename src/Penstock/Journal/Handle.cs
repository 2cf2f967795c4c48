using Penstock.Mapping;

namespace Penstock.Journal;

/// <summary>
/// One atomic change of metadata. Begun with the number of blocks it may touch (its credits), so that a log can make room beforehand;
/// whatever is edited through it belongs to one transaction. Pooled; used by one operation at a time; <see cref="Stop"/> ends it.
/// </summary>
/// <remarks>
/// Invariants: (1) a block that was edited costs one credit, once a handle; running out is a defect of the declaration and throws;
/// (2) a transaction does not end while one of its handles is open; (3) after an abort nothing can be edited.
/// </remarks>
internal abstract class Handle
{
    /// <summary>The transaction that this handle's changes belong to.</summary>
    public abstract TransactionId Transaction { get; }

    /// <summary>How many more blocks this handle may touch.</summary>
    public abstract int CreditsLeft { get; }

    /// <summary>
    /// Opens a block for a change. The span in the edit is the block; disposing the edit closes it and makes the block dirty in this
    /// handle's transaction. The block's latch is held meanwhile, so that nobody copies half a change: nothing is awaited in between (the
    /// compiler sees to it). Two edits may be open at once only under a lock that excludes every other editor of both blocks.
    /// </summary>
    public abstract BlockEdit Edit(MetadataBlock block);

    /// <summary>
    /// The metadata block was freed: what is in the cache of it is dropped and will not be written, and replaying an older copy is forbidden.
    /// </summary>
    public abstract void Forget(VolumeBlock block);

    /// <summary>
    /// Blocks were freed by this handle: they are neither reused nor discarded until its transaction is on the device (invariant 3.5).
    /// The allocator is told then.
    /// </summary>
    public abstract void Freed(VolumeBlock first, ulong count);

    /// <summary>
    /// Where blocks lead to data that is still to be written, since the format cannot say unwritten: the transaction is not committed before the claim
    /// that is returned is released. Null where nothing is promised after a crash.
    /// </summary>
    public virtual DataClaim? ClaimData() => null;

    /// <summary>
    /// Puts the new content of a block of a file into the transaction, as if it were metadata: one credit. Until it is in its place, who reads the block asks
    /// <see cref="MetadataCache.TryCopyUnplaced"/> first.
    /// </summary>
    public virtual void PutData(VolumeBlock block, ReadOnlySpan<byte> content) => throw new InvalidOperationException("Without a log data goes to its place.");

    /// <summary>Asks for more credits within the transaction. False where it is full: then <see cref="RestartAsync"/>.</summary>
    public abstract bool TryExtend(int credits);

    /// <summary>Ends the changes so far and goes on in a new transaction with <paramref name="credits"/>; the volume is consistent here.</summary>
    public abstract ValueTask RestartAsync(int credits);

    /// <summary>Ends the change. Waits for nothing.</summary>
    public abstract void Stop();
}

namespace Penstock.Journal;

/// <summary>
/// How changes of metadata reach the device. One implementation has no log (ext2, ext4 without a journal): dirty blocks are written in place.
/// Another writes them to a jbd2 log first. The rest of the code cannot tell them apart.
/// </summary>
internal abstract class MetadataJournal : IAsyncDisposable
{
    public abstract MetadataCache Cache { get; }

    /// <summary>The transaction that new handles join.</summary>
    public abstract TransactionId Running { get; }

    /// <summary>Whether a failure has ended all changes of this volume.</summary>
    public abstract bool IsAborted { get; }

    /// <summary>Begins a change of at most <paramref name="credits"/> blocks. May wait for room; holds rank Handle until stopped.</summary>
    /// <exception cref="FileSystemException">ReadOnly: the volume is read-only, or was aborted after a failure.</exception>
    public abstract ValueTask<Handle> BeginAsync(int credits);

    /// <summary>
    /// Sets credits aside for a change that a completion will make, which must not wait for room (Rule 2.18). Called before the submission.
    /// </summary>
    public abstract ValueTask<ReservedHandle> ReserveAsync(int credits);

    /// <summary>Waits until every change of <paramref name="transaction"/> and those before it is on stable storage.</summary>
    /// <exception cref="DeviceException">It could not be written; the changes stay in memory and the journal is aborted.</exception>
    public abstract ValueTask CommitAsync(TransactionId transaction);

    /// <summary>How many blocks of file data one handle should put into the log at most; 0 where there is none.</summary>
    public virtual int DataBlocksPerHandle => 0;

    /// <summary>A point in time between two flushes of the device that this journal begins, for <see cref="HasFlushedSince"/>.</summary>
    public virtual long FlushMark => 0;

    /// <summary>
    /// Whether a flush that was begun after <paramref name="mark"/> was taken has succeeded: then all that had reached the device before it is on stable
    /// storage, metadata or not.
    /// </summary>
    public virtual bool HasFlushedSince(long mark) => false;

    /// <summary>
    /// Commits everything and brings it to its places, so that nothing needs a log any more: before the volume is marked as closed. False if
    /// something was changed meanwhile.
    /// </summary>
    public virtual async ValueTask<bool> SettleAsync()
    {
        await CommitAsync(Running).ConfigureAwait(false);
        return true;
    }

    /// <summary>Begins a commit of what is running, without waiting for it.</summary>
    public abstract void StartCommit();

    /// <summary>Ends all changes after a failure that leaves the metadata in memory ahead of what the device will ever have.</summary>
    public abstract void Abort(IoFault reason);

    /// <summary>Commits everything and stops.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Gives the memory back and commits nothing: whoever simulated the volume has turned the power off. No code of it runs any more.</summary>
    public virtual void Abandon()
    {
    }
}

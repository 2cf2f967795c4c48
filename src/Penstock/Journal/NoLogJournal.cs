using Penstock.Execution;

namespace Penstock.Journal;

/// <summary>
/// The mode without a log: a commit writes the dirty blocks in their places and flushes the device; new ones first, with a flush of their own. Otherwise
/// those of a transaction reach the device in no order that a crash could not see, so a volume that was not closed needs e2fsck; what was committed is on it.
/// </summary>
/// <remarks>
/// A block that the next transaction changes while this one is stored may be written with that change: without a log nothing is lost by
/// it, since freed blocks still wait for their own commit. A log must freeze a copy instead.
/// </remarks>
internal sealed class NoLogJournal : TransactionalJournal
{
    private readonly CommitWriter _writer;
    private readonly List<MetadataBlock> _batch = [];
    private bool _needsFlush;

    /// <inheritdoc cref="TransactionalJournal(VolumeMetadataCache, IJournalClient, int, TimeSpan?)"/>
    public NoLogJournal(VolumeMetadataCache cache, IJournalClient client, int maxUnstableBlocks = 0, TimeSpan? commitInterval = null)
        : base(cache, client, maxUnstableBlocks, commitInterval) => _writer = new CommitWriter(cache);

    /// <inheritdoc/>
    protected override async ValueTask<StoreOutcome> StoreAsync(Transaction transaction)
    {
        if (!Scheduler.IsBroken(Rule.NewBlocksBeforePointers))
        {
            StoreOutcome begun = await StoreNewAsync(transaction.Id).ConfigureAwait(false);
            if (begun.IsFailed)
            {
                return begun;
            }
        }

        VolumeCache.CollectDirty(transaction.Id, _batch);

        // What a commit that failed for lack of space did write has never been flushed: its successor does it.
        _needsFlush |= _batch.Count > 0;
        StoreOutcome outcome = await _writer.WriteAsync(transaction.Id, _batch).ConfigureAwait(false);
        if (!outcome.IsFailed && _needsFlush)
        {
            outcome = await FlushAsync().ConfigureAwait(false);
            _needsFlush = outcome.IsFailed;
        }

        return outcome;
    }

    /// <summary>
    /// A block of an extent tree, a directory or attributes that nothing on the device leads to yet comes first. If what leads to it were there alone, as after a
    /// loss of power in between, what was synced before and has moved into it would be lost.
    /// </summary>
    private async ValueTask<StoreOutcome> StoreNewAsync(TransactionId transaction)
    {
        VolumeCache.CollectDirty(transaction, _batch, onlyNew: true);
        if (_batch.Count == 0)
        {
            return default;
        }

        _needsFlush = true;
        StoreOutcome outcome = await _writer.WriteAsync(transaction, _batch).ConfigureAwait(false);
        return outcome.IsFailed ? outcome : await FlushAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override void DisposeStore() => _writer.Dispose();

    /// <inheritdoc/>
    protected override void AbandonStore() => _writer.Abandon();

    private sealed class CommitWriter(VolumeMetadataCache cache) : MetadataWriter(cache)
    {
        private TransactionId _transaction;

        public ValueTask<StoreOutcome> WriteAsync(TransactionId transaction, List<MetadataBlock> batch)
        {
            _transaction = transaction;
            return WriteAsync(batch);
        }

        protected override void End(MetadataBlock block, bool isWritten) => Cache.EndWrite(block, _transaction, isWritten);
    }
}
